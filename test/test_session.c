/* SPDX-License-Identifier: MIT */
/* Sessions: the model's results bit for bit, for every method, from several threads at once; the weights of the moment;
 * nothing of the model changed; any order of ends; memory that fails. */
#include "tgrmoe/session.h"

#include <pthread.h>

#include "base/context.h"
#include "base/parameters.h"
#include "training_support.h"

enum { MOST_THREADS = 8, ROUNDS = 3 };

static tgr_session *new_session(tgr_model *model, tgr_context *context) {
    tgr_session *session = NULL;
    assert_status(TGR_OK, tgr_session_create(&session, model, context));
    return session;
}

static void check_same_routing(const tgr_routing *one, const tgr_routing *other) {
    const tgr_routing_view a = test_routing_view(one), b = test_routing_view(other);
    const size_t all = (size_t)(a.tokens * a.experts), chosen = (size_t)(a.tokens * a.top_k);
    assert_int_equal(a.tokens, b.tokens);
    assert_same_bytes(a.logits, b.logits, all * sizeof(float));
    assert_same_bytes(a.probabilities, b.probabilities, all * sizeof(float));
    assert_same_bytes(a.choices, b.choices, chosen * sizeof(int32_t));
    assert_same_bytes(a.gates, b.gates, chosen * sizeof(float));
    assert_same_bytes(a.kept, b.kept, chosen);
    assert_same_bytes(a.load, b.load, (size_t)a.experts * sizeof(int64_t));
}

/* The session's last results are those of the model. */
static void check_same(const tgr_session *session, const tgr_model *model) {
    const float *logits, *features;
    const tgr_dimensions *d = tgr_model_dimensions(model);
    const int64_t batch = tgr_session_batch(session);
    assert_int_equal(batch, tgr_model_batch(model));
    assert_status(TGR_OK, tgr_session_logits(session, &logits));
    assert_same_bytes(logits, test_logits(model), (size_t)(batch * d->classes) * sizeof(float));
    assert_status(TGR_OK, tgr_session_features(session, &features));
    assert_same_bytes(features, test_features(model), (size_t)(batch * d->tokens * d->dim) * sizeof(float));
    FOR(i, tgr_model_moe_layer_count(model)) {
        const tgr_routing *a, *b;
        assert_status(TGR_OK, tgr_session_routing(session, i, &a));
        assert_status(TGR_OK, tgr_model_routing(model, i, &b));
        check_same_routing(a, b);
    }
}

static void check_run(tgr_session *session, tgr_model *model, int64_t batch, uint64_t seed) {
    float *images = test_images(model, batch, seed);
    assert_status(TGR_OK, tgr_session_forward(session, images, batch));
    assert_status(TGR_OK, tgr_model_forward(model, TGR_EVAL, images, batch));
    free(images);
    check_same(session, model);
}

/* Before, in the middle of and after steps of training, on a context of its own and on the model's. */
static void check_method(const char *method, const char *more) {
    training t;
    tgr_context *alone = test_context(1, 99);
    print_message("%s %s\n", method, more);
    assert_status(TGR_OK, training_start(&t, test_context(2, 7), method, more));
    tgr_session *own = new_session(t.model, alone), *shared = new_session(t.model, NULL);
    FOR(position, 2 * MICRO + 1) {
        check_run(own, t.model, BATCH, (uint64_t)position);
        check_run(shared, t.model, 1 + position % BATCH, (uint64_t)(50 + position));
        assert_status(TGR_OK, train(&t, position));
    }
    check_run(own, t.model, 2 * BATCH, 90);
    training_end(&t);
    tgr_session_free(own);
    tgr_session_free(shared);
    tgr_context_free(alone);
}

static void test_results_are_the_models_for_every_method(void **state) {
    (void)state;
    each_method(check_method);
    if (bfloat16_is_there()) check_method("tgr", "shared_experts=1 precision=bfloat16");
}

/* Between a forward pass and its backward, sessions change nothing that either sees. */
static void test_training_goes_on_undisturbed(void **state) {
    (void)state;
    const tgr_parameters *parameters[2];
    training runs[2];
    for (int run = 0; run < 2; run++) {
        training *t = &runs[run];
        assert_status(TGR_OK, training_start(t, test_context(2, 7), "default", "drop_path=0.3"));
        float *images = test_images(t->model, BATCH, 5);
        tgr_session *session = run == 0 ? NULL : new_session(t->model, NULL);
        int32_t labels[BATCH] = {1, 2, 3};
        double loss;
        assert_status(TGR_OK, tgr_model_forward(t->model, TGR_TRAIN, images, BATCH));
        if (session != NULL) assert_status(TGR_OK, tgr_session_forward(session, images, BATCH));
        assert_status(TGR_OK, tgr_loss_compute(t->loss, labels, &loss));
        if (session != NULL) assert_status(TGR_OK, tgr_session_forward(session, images, BATCH));
        assert_status(TGR_OK, tgr_loss_backward(t->loss));
        tgr_session_free(session);
        free(images);
        parameters[run] = test_model_parameters(t->model);
    }
    const size_t bytes = (size_t)parameters[0]->floats * sizeof(float);
    assert_same_bytes(parameters[0]->values, parameters[1]->values, bytes);
    assert_same_bytes(parameters[0]->gradients, parameters[1]->gradients, bytes);
    for (int run = 0; run < 2; run++) training_end(&runs[run]);
}

typedef struct visitor {
    tgr_model *model;
    tgr_context *context; /* NULL: the model's */
    const float *images;  /* [BATCH, PIXELS] */
    const float *logits;  /* [BATCH, CLASSES], what is to come out */
    tgr_status status;
    int wrong;
    pthread_t thread;
} visitor;

/* A session made, run and freed in a thread; batches of changing size make its memory grow while others run. */
static void *visit(void *argument) {
    visitor *v = argument;
    tgr_session *session = NULL;
    const float *logits = NULL;
    v->status = tgr_session_create(&session, v->model, v->context);
    for (int64_t round = 0; v->status == TGR_OK && round < ROUNDS; round++) {
        const int64_t batch = 1 + round % BATCH;
        v->status = tgr_session_forward(session, v->images, batch);
        if (v->status == TGR_OK) v->status = tgr_session_logits(session, &logits);
        if (v->status == TGR_OK) v->wrong += memcmp(logits, v->logits, (size_t)(batch * CLASSES) * sizeof(float)) != 0;
    }
    tgr_session_free(session);
    return NULL;
}

/* Every second thread works with a context of its own, the others with the model's. */
static void visit_from_threads(tgr_model *model, const float *images, const float *logits, int count) {
    visitor visitors[MOST_THREADS];
    for (int i = 0; i < count; i++) {
        visitors[i] = (visitor){.model = model, .images = images, .logits = logits};
        if (i % 2 == 0) visitors[i].context = test_context(1 + i / 4, 1);
        assert_int_equal(pthread_create(&visitors[i].thread, NULL, visit, &visitors[i]), 0);
    }
    for (int i = 0; i < count; i++) {
        assert_int_equal(pthread_join(visitors[i].thread, NULL), 0);
        tgr_context_free(visitors[i].context);
        assert_int_equal(visitors[i].status, TGR_OK);
        assert_int_equal(visitors[i].wrong, 0);
    }
}

/* Results of an image must not depend on its batch, so nothing is dropped here. */
static void check_threads(const char *method) {
    training t;
    assert_status(TGR_OK, training_start(&t, test_context(2, 7), method, ""));
    FOR(position, MICRO + 1) assert_status(TGR_OK, train(&t, position));
    float *images = test_images(t.model, BATCH, 5), logits[BATCH * CLASSES];
    assert_status(TGR_OK, tgr_model_forward(t.model, TGR_EVAL, images, BATCH));
    memcpy(logits, test_logits(t.model), sizeof logits);
    for (int count = 1; count <= MOST_THREADS; count++) visit_from_threads(t.model, images, logits, count);
    free(images);
    training_end(&t);
}

static void test_threads_run_at_once(void **state) {
    (void)state;
    const char *const methods[] = {"dense", "tgr",  "switch",    "stable",      "default", "soft",
                                   "hash",  "base", "loss-free", "dense-train", "evomoe"};
    for (size_t i = 0; i < sizeof methods / sizeof *methods; i++) check_threads(methods[i]);
}

static void test_ends_come_in_any_order(void **state) {
    (void)state;
    for (int order = 0; order < 4; order++) {
        tgr_context *context = test_context(2, 7), *alone = test_context(1, 7);
        tgr_model *model = test_model(context, SIZES "method=tgr moe_blocks=1,2");
        float *images = test_images(model, BATCH, 5), logits[BATCH * CLASSES];
        const float *now;
        assert_status(TGR_OK, tgr_model_forward(model, TGR_EVAL, images, BATCH));
        memcpy(logits, test_logits(model), sizeof logits);
        tgr_session *session = new_session(model, order % 2 ? alone : NULL);
        if (order < 2) tgr_model_free(model);
        tgr_context_free(context);
        tgr_context_free(alone);
        assert_status(TGR_OK, tgr_session_forward(session, images, BATCH));
        assert_status(TGR_OK, tgr_session_logits(session, &now));
        assert_same_bytes(now, logits, sizeof logits);
        tgr_session_free(session);
        if (order >= 2) tgr_model_free(model);
        free(images);
    }
}

/* The session's memory is its context's, the model's stays as it is; without growth nothing is allocated. */
static void test_memory_is_the_contexts(void **state) {
    (void)state;
    tgr_context *context = test_context(1, 7), *alone = test_context(1, 7);
    tgr_model *model = test_model(context, SIZES "method=tgr moe_blocks=1,2 experts=64");
    float *images = test_images(model, BATCH, 5);
    uint64_t before, after, own[2], allocations[2];
    before = tgr_context_bytes(context);
    tgr_session_free(new_session(model, alone)); /* which makes the context's scratch grow */
    own[0] = tgr_context_bytes(alone);
    tgr_session *session = new_session(model, alone);
    assert_status(TGR_OK, tgr_session_forward(session, images, BATCH));
    allocations[0] = tgr_context_allocation_count(alone);
    for (int64_t batch = BATCH; batch > 0; batch--) assert_status(TGR_OK, tgr_session_forward(session, images, batch));
    allocations[1] = tgr_context_allocation_count(alone);
    assert_int_equal(allocations[0], allocations[1]);
    own[1] = tgr_context_bytes(alone);
    assert_true((own[1] - own[0]) * 4 < (uint64_t)test_model_parameters(model)->floats * sizeof(float));
    tgr_session_free(session);
    own[1] = tgr_context_bytes(alone);
    assert_int_equal(own[0], own[1]);
    after = tgr_context_bytes(context);
    assert_int_equal(before, after);
    free(images);
    tgr_model_free(model);
    tgr_context_free(alone);
    tgr_context_free(context);
}

/* Bytes of a session's activations for a batch of 16. */
static uint64_t activations(const char *options) {
    tgr_context *context = test_context(1, 7);
    tgr_model *model = test_model(context, options);
    float *images = test_images(model, 16, 5);
    uint64_t before, after;
    tgr_session *session = new_session(model, context);
    before = tgr_context_bytes(context);
    assert_status(TGR_OK, tgr_session_forward(session, images, 16));
    after = tgr_context_bytes(context);
    tgr_session_free(session);
    free(images);
    tgr_model_free(model);
    tgr_context_free(context);
    return after - before;
}

/* A further block costs its routing's record at most; experts that no token chooses cost nothing. */
static void test_layers_work_in_the_same_memory(void **state) {
    (void)state;
    const uint64_t tokens = 16 * 5, one = activations(SIZES "depth=4 method=tgr moe_blocks=1 experts=4");
    const uint64_t four = activations(SIZES "depth=4 method=tgr moe_blocks=1,2,3,4 experts=4");
    assert_true(one < four && four - one < 3 * tokens * 100);
    assert_true(activations(SIZES "depth=9 method=tgr moe_blocks=1 experts=4") == one);
    assert_true(activations(SIZES "depth=4 method=dense-train moe_blocks=1 experts=4") < one + tokens * 50);
}

typedef struct scarcity {
    tgr_model *model;
    const float *images;
} scarcity;

static tgr_status scarce(const tgr_allocator *allocator, void *user) {
    const scarcity *s = user;
    tgr_context *context = NULL;
    tgr_session *session = NULL;
    tgr_status status = TGR_OK;
    TGR_TRY_DONE(test_context_create(&context, allocator));
    TGR_TRY_DONE(tgr_session_create(&session, s->model, context));
    TGR_TRY_DONE(tgr_session_forward(session, s->images, 1));
    const float *logits, *kept;
    float first[CLASSES];
    assert_status(TGR_OK, tgr_session_logits(session, &logits));
    memcpy(first, logits, sizeof first);
    status = tgr_session_forward(session, s->images, BATCH);
    /* When it fails, the last results are still there. */
    assert_status(TGR_OK, tgr_session_logits(session, &kept));
    if (status != TGR_OK) assert_same_bytes(kept, first, sizeof first);
done:
    tgr_session_free(session);
    tgr_context_free(context);
    return status;
}

static void test_every_allocation_may_fail(void **state) {
    (void)state;
    tgr_context *context = test_context(1, 7);
    tgr_model *model = test_model(context, SIZES "method=default moe_blocks=1,2");
    float *images = test_images(model, BATCH, 5);
    assert_true(test_each_allocation_failing(scarce, &(scarcity){model, images}) > 10);
    free(images);
    tgr_model_free(model);
    tgr_context_free(context);
}

static void test_bad_arguments_are_refused(void **state) {
    (void)state;
    tgr_context *context = test_context(1, 7);
    tgr_model *model = test_model(context, SIZES "method=tgr moe_blocks=1,2");
    tgr_model *headless = test_model(context, SIZES "method=dense classes=0");
    tgr_session *session = NULL, *without_head;
    float *images = test_images(model, 1, 5);
    const float *floats = images;
    const tgr_routing *routing;
    assert_fails(TGR_ERROR_ARGUMENT, "tgr_session_create: argument 'out'", tgr_session_create(NULL, model, context));
    assert_fails(TGR_ERROR_ARGUMENT, "argument 'model'", tgr_session_create(&session, NULL, context));
    assert_null(session);
    session = new_session(model, context);
    without_head = new_session(headless, context);
    assert_fails(TGR_ERROR_ARGUMENT, "tgr_session_forward: argument 'session'", tgr_session_forward(NULL, images, 1));
    assert_fails(TGR_ERROR_ARGUMENT, "tgr_session_forward: argument 'images'", tgr_session_forward(session, NULL, 1));
    assert_fails(TGR_ERROR_RANGE, "tgr_session_forward: argument 'batch' is 0",
                 tgr_session_forward(session, images, 0));
    assert_fails(TGR_ERROR_OVERFLOW, "'batch'", tgr_session_forward(session, images, INT64_MAX));
    assert_fails(TGR_ERROR_STATE, "tgr_session_logits: there has been no", tgr_session_logits(session, &floats));
    assert_fails(TGR_ERROR_STATE, "tgr_session_logits: the model has no head",
                 tgr_session_logits(without_head, &floats));
    assert_fails(TGR_ERROR_ARGUMENT, "argument 'session'", tgr_session_logits(NULL, &floats));
    assert_fails(TGR_ERROR_ARGUMENT, "argument 'logits'", tgr_session_logits(session, NULL));
    assert_int_equal(tgr_session_batch(NULL), 0);
    assert_fails(TGR_ERROR_STATE, "tgr_session_features: there has been no", tgr_session_features(session, &floats));
    assert_fails(TGR_ERROR_ARGUMENT, "argument 'session'", tgr_session_features(NULL, &floats));
    assert_ptr_equal(floats, images);
    assert_fails(TGR_ERROR_RANGE, "tgr_session_routing: argument 'index' is 2",
                 tgr_session_routing(session, 2, &routing));
    assert_fails(TGR_ERROR_RANGE, "'index' is -1", tgr_session_routing(session, -1, &routing));
    assert_fails(TGR_ERROR_ARGUMENT, "argument 'routing'", tgr_session_routing(session, 0, NULL));
    assert_fails(TGR_ERROR_ARGUMENT, "argument 'session'", tgr_session_routing(NULL, 0, &routing));
    tgr_session_free(NULL);
    tgr_session_free(session);
    tgr_session_free(without_head);
    free(images);
    tgr_model_free(model);
    tgr_model_free(headless);
    tgr_context_free(context);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_results_are_the_models_for_every_method),
        cmocka_unit_test(test_training_goes_on_undisturbed),
        cmocka_unit_test(test_threads_run_at_once),
        cmocka_unit_test(test_ends_come_in_any_order),
        cmocka_unit_test(test_memory_is_the_contexts),
        cmocka_unit_test(test_layers_work_in_the_same_memory),
        cmocka_unit_test(test_every_allocation_may_fail),
        cmocka_unit_test(test_bad_arguments_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

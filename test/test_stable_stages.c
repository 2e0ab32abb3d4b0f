/* SPDX-License-Identifier: MIT */
/* StableMoE's change of stage: from its first step on the distilled router is frozen and every image keeps its
 * experts, bit for bit, through training, evaluation, saving, loading and resuming. */
#include "checkpoint_support.h"
#include "model_support.h"
#include "optimizer/optimizer.h"
#include "tgrmoe/loss.h"

#define SIZES                                                                                                \
    "method=stable image_size=6 patch_size=2 channels=2 classes=5 embed_dim=12 depth=2 heads=3 mlp_ratio=2 " \
    "stable_width=7 moe_blocks=1,2 experts=4 lr=0.2 weight_decay=0.3 warmup_steps=1 drop_path=0.2 clip_norm=5 "
/* Stage 2 begins at step 3. */
#define STAGES SIZES "total_steps=10 stable_stage1=0.3 "

enum { BATCH = 4, CLASSES = 5, STAGE2 = 3, LAYERS = 2 };

typedef struct training {
    tgr_context *context;
    tgr_model *model;
    tgr_parameters *parameters;
    tgr_loss *loss;
    tgr_optimizer *optimizer;
    tgr_checkpoint *checkpoint;
    float *fixed; /* images whose routing is watched */
    int64_t tokens;
} training;

static training start(const char *options, int threads, uint64_t seed) {
    training t = {.context = test_context(threads, seed)};
    t.model = test_model(t.context, options);
    t.parameters = test_model_parameters(t.model);
    t.fixed = test_images(t.model, BATCH, 1234);
    t.tokens = BATCH * tgr_model_dimensions(t.model)->tokens;
    const tgr_config *config = tgr_model_config(t.model);
    assert_status(TGR_OK, tgr_loss_create(&t.loss, t.model, NULL));
    assert_status(TGR_OK, tgr_optimizer_create(&t.optimizer, config, t.parameters));
    assert_status(TGR_OK, tgr_checkpoint_create(&t.checkpoint, t.context));
    assert_status(TGR_OK, tgr_checkpoint_add_model(t.checkpoint, "model", t.model));
    assert_status(TGR_OK, tgr_checkpoint_add_optimizer(t.checkpoint, "optimizer", t.optimizer));
    return t;
}

static void finish(training *t) {
    free(t->fixed);
    tgr_checkpoint_free(t->checkpoint);
    tgr_optimizer_free(t->optimizer);
    tgr_loss_free(t->loss);
    tgr_model_free(t->model);
    tgr_context_free(t->context);
}

static int is_distilled(const tgr_tensor *tensor) {
    const char *own = strstr(tensor->name, ".router.");
    return own != NULL && strcmp(own, ".router.centroids") != 0;
}

/* From stage 2 on nothing asks anything of the distilled router. */
static void check_no_gradient(const training *t) {
    FOR(i, t->parameters->tensor_count) {
        const tgr_tensor *tensor = &t->parameters->tensors[i];
        for (int64_t j = 0; is_distilled(tensor) && j < tensor->count; j++)
            assert_true(tgr_gradient(t->parameters, i)[j] == 0);
    }
}

/* Every step is three events: two micro-batches and the optimizer's step. */
static void train(training *t, int64_t from, int64_t to) {
    for (int64_t event = from; event < to; event++) {
        if (event % 3 == 2) {
            assert_status(TGR_OK, tgr_optimizer_step(t->optimizer));
            continue;
        }
        float *images = test_images(t->model, BATCH, 50 + (uint64_t)event);
        int32_t labels[BATCH];
        double total;
        for (int i = 0; i < BATCH; i++) labels[i] = (int32_t)((event + i) % CLASSES);
        assert_status(TGR_OK, tgr_model_forward(t->model, TGR_TRAIN, images, BATCH));
        assert_status(TGR_OK, tgr_loss_compute(t->loss, labels, &total));
        assert_status(TGR_OK, tgr_loss_backward(t->loss));
        if (event >= 3 * STAGE2) check_no_gradient(t);
        free(images);
    }
}

/* The experts of the watched images in every layer, in evaluation: [layers, tokens], to be freed with free(). */
static int32_t *routing_of(training *t) {
    int32_t *copy = malloc((size_t)(LAYERS * t->tokens) * sizeof *copy);
    assert_non_null(copy);
    assert_status(TGR_OK, tgr_model_forward(t->model, TGR_EVAL, t->fixed, BATCH));
    FOR(layer, LAYERS) {
        const tgr_routing *routing = NULL;
        assert_status(TGR_OK, tgr_model_routing(t->model, layer, &routing));
        const tgr_routing_view view = test_routing_view(routing);
        const int32_t *choices = view.choices;
        memcpy(copy + layer * t->tokens, choices, (size_t)t->tokens * sizeof *copy);
    }
    return copy;
}

/* Values and moments of all tensors. */
typedef struct snapshot {
    float *values, *first, *second;
} snapshot;

static float *copy_of(const float *from, int64_t floats) {
    float *copy = calloc((size_t)floats, sizeof(float));
    assert_non_null(copy);
    if (from != NULL) memcpy(copy, from, (size_t)floats * sizeof(float));
    return copy;
}

static snapshot take(const training *t) {
    const int64_t floats = t->parameters->floats;
    return (snapshot){.values = copy_of(t->parameters->values, floats),
                      .first = copy_of(t->optimizer->first_moment, floats),
                      .second = copy_of(t->optimizer->second_moment, floats)};
}

static void drop(snapshot *s) {
    free(s->values), free(s->first), free(s->second);
}

/* Trained tensors have moved since; frozen ones have not, nor have their moments. */
static void check_moved(const training *t, const snapshot *before, int distilled_frozen) {
    snapshot now = take(t);
    FOR(i, t->parameters->tensor_count) {
        const tgr_tensor *tensor = &t->parameters->tensors[i];
        const size_t bytes = (size_t)tensor->count * sizeof(float);
        const int frozen = distilled_frozen && is_distilled(tensor);
        if ((memcmp(now.values + tensor->offset, before->values + tensor->offset, bytes) == 0) != frozen)
            fail_msg("step %d: %s has%s moved", (int)t->parameters->step, tensor->name, frozen ? "" : " not");
        if (!frozen) continue;
        assert_same_bytes(now.first + tensor->offset, before->first + tensor->offset, bytes);
        assert_same_bytes(now.second + tensor->offset, before->second + tensor->offset, bytes);
    }
    drop(&now);
}

static void check_standing_still(const char *options, int threads) {
    training t = start(options, threads, 7);
    int32_t *final = NULL;
    const size_t bytes = (size_t)(LAYERS * t.tokens) * sizeof *final;
    int64_t changes = 0;
    FOR(step, 10) {
        snapshot before = take(&t);
        int32_t *routing = routing_of(&t);
        if (step == STAGE2) final = routing_of(&t);
        train(&t, 3 * step, 3 * step + 3);
        check_moved(&t, &before, step >= STAGE2);
        int32_t *after = routing_of(&t);
        if (step < STAGE2) changes += memcmp(after, routing, bytes) != 0;
        if (final != NULL) assert_same_bytes(after, final, bytes);
        free(routing), free(after);
        drop(&before);
    }
    assert_true(changes > 0); /* before, it could change */
    free(final);
    finish(&t);
}

static void test_routing_stands_still(void **state) {
    (void)state;
    FOR_THREADS(threads) {
        check_standing_still(STAGES, threads);
        check_standing_still(STAGES "optimizer=sgd ", threads);
        check_standing_still(STAGES "distillation_token=1 shared_experts=1 ", threads);
    }
}

/* What a host writes into the gradient of a frozen tensor is no part of the step, nor of its norm. */
static void test_gradients_of_frozen_tensors_are_ignored(void **state) {
    (void)state;
    training t = start(STAGES, 2, 7), other = start(STAGES, 2, 7);
    double norm, other_norm;
    train(&t, 0, 3 * STAGE2 + 2);
    train(&other, 0, 3 * STAGE2 + 2);
    snapshot before = take(&t);
    FOR(i, t.parameters->tensor_count)
        if (is_distilled(&t.parameters->tensors[i])) tgr_gradient(t.parameters, i)[0] = i % 2 ? NAN : 1e6f;
    train(&t, 3 * STAGE2 + 2, 3 * STAGE2 + 3);
    train(&other, 3 * STAGE2 + 2, 3 * STAGE2 + 3);
    check_moved(&t, &before, 1);
    assert_same_bytes(t.parameters->values, other.parameters->values, (size_t)t.parameters->floats * sizeof(float));
    norm = tgr_optimizer_gradient_norm(t.optimizer);
    other_norm = tgr_optimizer_gradient_norm(other.optimizer);
    assert_true(norm == other_norm && norm > 0);
    drop(&before);
    finish(&t), finish(&other);
}

static void check_resume(const char *options, int64_t saved_at, int64_t end, int threads, const test_file *whole,
                         const int32_t *final) {
    char *middle = test_file_create(), *path = test_file_create();
    training first = start(options, threads, 7), second = start(options, 3 - threads, 8);
    train(&first, 0, saved_at);
    assert_status(TGR_OK, tgr_checkpoint_save(first.checkpoint, middle));
    train(&second, 0, 1); /* all must come from the file */
    assert_status(TGR_OK, tgr_checkpoint_load(second.checkpoint, middle));
    if (saved_at >= 3 * STAGE2) {
        int32_t *routing = routing_of(&second);
        assert_same_bytes(routing, final, (size_t)(LAYERS * second.tokens) * sizeof *routing);
        free(routing);
    }
    train(&second, saved_at, end);
    assert_status(TGR_OK, tgr_checkpoint_save(second.checkpoint, path));
    test_file resumed = test_file_read(path);
    assert_int_equal(resumed.size, whole->size);
    assert_same_bytes(resumed.bytes, whole->bytes, whole->size);
    free(resumed.bytes);
    finish(&first), finish(&second);
    test_file_remove(middle);
    test_file_remove(path);
}

/* Saved before, at and after the change of stage, and in the middle of steps: even right before the optimizer's, when
 * no forward pass comes between loading and stepping. */
static void test_resumes_across_the_change_of_stage(void **state) {
    (void)state;
    static const char *const cases[] = {STAGES, STAGES "optimizer=sgd "};
    const int64_t end = 3 * (STAGE2 + 2);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char *path = test_file_create();
        training t = start(cases[i], 1, 7);
        train(&t, 0, end);
        assert_status(TGR_OK, tgr_checkpoint_save(t.checkpoint, path));
        test_file whole = test_file_read(path);
        int32_t *final = routing_of(&t);
        for (int64_t saved_at = 0; saved_at <= end; saved_at++)
            check_resume(cases[i], saved_at, end, 1 + (int)(saved_at % 2), &whole, final);
        free(final);
        free(whole.bytes);
        finish(&t);
        test_file_remove(path);
    }
}

/* A model made from a file routes as the one that was saved, and its routing is frozen where that one's was. */
static void test_a_loaded_model_routes_the_same(void **state) {
    (void)state;
    char *path = test_file_create();
    training t = start(STAGES, 2, 7);
    tgr_model *loaded = NULL;
    train(&t, 0, 3 * STAGE2 + 3);
    int32_t *before = routing_of(&t);
    assert_status(TGR_OK, tgr_checkpoint_save(t.checkpoint, path));
    assert_status(TGR_OK, tgr_model_load(&loaded, t.context, path, "model"));
    training again = t;
    again.model = loaded;
    int32_t *after = routing_of(&again);
    assert_same_bytes(after, before, (size_t)(LAYERS * t.tokens) * sizeof *after);
    const tgr_parameters *parameters = test_model_parameters(loaded);
    FOR(i, parameters->tensor_count)
        if (is_distilled(&parameters->tensors[i])) assert_true(parameters->step >= parameters->tensors[i].frozen_from);
    tgr_model_free(loaded);
    free(before), free(after);
    finish(&t);
    test_file_remove(path);
}

/* The first step of stage 2 is ceil(share · total), except for rounding; without a total it never comes. */
static void test_stage_2_begins_where_the_options_say(void **state) {
    (void)state;
    static const struct {
        const char *options;
        uint64_t first;
    } cases[] = {{"total_steps=10 stable_stage1=0.3 ", 3},
                 {"total_steps=10 stable_stage1=0.31 ", 4},
                 {"total_steps=100 stable_stage1=0.07 ", 7},
                 {"total_steps=46 ", 5},
                 {"total_steps=60000 ", 6000},
                 {"total_steps=10 stable_stage1=1 ", 10},
                 {"total_steps=10 stable_stage1=1e-9 ", 1},
                 {"total_steps=10 stable_stage1=0 ", 0},
                 {"stable_stage1=0 ", 0},
                 {"stable_stage1=0.5 ", UINT64_MAX},
                 {"total_steps=4294967295 stable_stage1=1 ", 4294967295}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char options[512];
        tgr_context *context = test_context(1, 3);
        snprintf(options, sizeof options, "%s%s", SIZES, cases[i].options);
        tgr_model *model = test_model(context, options);
        const tgr_parameters *parameters = test_model_parameters(model);
        FOR(k, parameters->tensor_count) {
            const tgr_tensor *tensor = &parameters->tensors[k];
            assert_true(tensor->frozen_from == (is_distilled(tensor) ? cases[i].first : UINT64_MAX));
        }
        tgr_model_free(model);
        tgr_context_free(context);
    }
}

/* Training changes its way of routing at that very step: by the learned router before, by the distilled one from then
 * on. */
static void test_training_changes_its_router_at_that_step(void **state) {
    (void)state;
    training t = start(STAGES, 1, 7);
    for (uint64_t step = 0; step < 6; step++) {
        const tgr_routing *routing = NULL;
        int32_t *distilled = routing_of(&t);
        t.parameters->step = step;
        assert_status(TGR_OK, tgr_model_forward(t.model, TGR_TRAIN, t.fixed, BATCH));
        assert_status(TGR_OK, tgr_model_routing(t.model, 1, &routing));
        const tgr_routing_view view = test_routing_view(routing);
        const int32_t *choices = view.choices;
        int64_t terms = tgr_routing_term_count(routing);
        const int same = memcmp(choices, distilled + t.tokens, (size_t)t.tokens * sizeof *choices) == 0;
        assert_int_equal(same, step >= STAGE2);
        assert_int_equal(terms, step >= STAGE2 ? 0 : 2);
        free(distilled);
    }
    finish(&t);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_stage_2_begins_where_the_options_say),
        cmocka_unit_test(test_training_changes_its_router_at_that_step),
        cmocka_unit_test(test_routing_stands_still),
        cmocka_unit_test(test_gradients_of_frozen_tensors_are_ignored),
        cmocka_unit_test(test_resumes_across_the_change_of_stage),
        cmocka_unit_test(test_a_loaded_model_routes_the_same),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

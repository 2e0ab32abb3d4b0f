/* SPDX-License-Identifier: MIT */
/* What holds for every routing method: the same bytes at any number of threads, whether or not evaluation came between,
 * and after a resume in the midst of accumulation; a step that allocates nothing;
 * memory that fails. */
#include <stdio.h>

#include "base/context.h"
#include "model_support.h"
#include "routing/method.h"
#include "tgrmoe/checkpoint.h"
#include "tgrmoe/loss.h"
#include "tgrmoe/optimizer.h"

enum { BATCH = 3, PIXELS = 8 * 8, CLASSES = 5, MICRO = 2, MICRO_BATCHES = 9, SAVED_AT = 5 };

#define SIZES "image_size=8 patch_size=4 channels=1 classes=5 embed_dim=16 depth=2 heads=2 lr=0.01 total_steps=8 "

typedef struct training {
    tgr_context *context;
    tgr_model *model;
    tgr_loss *loss;
    tgr_optimizer *optimizer;
    tgr_checkpoint *checkpoint;
} training;

static tgr_status training_start(training *t, tgr_context *context, const char *method, const char *more) {
    char options[512];
    const tgr_config *config = NULL;
    *t = (training){.context = context};
    snprintf(options, sizeof options, SIZES "method=%s moe_blocks=1,2 experts=4 %s", method, more);
    tgr_status status = test_model_create(&t->model, context, options);
    if (status == TGR_OK) test_model_enliven(t->model, 3);
    if (status == TGR_OK) status = tgr_model_config(t->model, &config);
    if (status == TGR_OK) status = tgr_loss_create(&t->loss, t->model, NULL);
    if (status == TGR_OK) status = tgr_optimizer_create(&t->optimizer, config, test_model_parameters(t->model));
    if (status == TGR_OK) status = tgr_checkpoint_create(&t->checkpoint, context);
    if (status == TGR_OK) status = tgr_checkpoint_add_model(t->checkpoint, "model", t->model);
    if (status == TGR_OK) status = tgr_checkpoint_add_optimizer(t->checkpoint, "optimizer", t->optimizer);
    return status;
}

static void training_end(training *t) {
    tgr_checkpoint_free(t->checkpoint);
    tgr_optimizer_free(t->optimizer);
    tgr_loss_free(t->loss);
    tgr_model_free(t->model);
    tgr_context_free(t->context);
}

/* The micro-batch at `position`, and the step that it completes. */
static tgr_status train(training *t, int64_t position) {
    test_random random = test_random_start((uint64_t)(100 + position));
    float images[BATCH * PIXELS];
    int32_t labels[BATCH];
    double loss;
    test_random_fill(&random, images, BATCH * PIXELS, -1, 1);
    for (int64_t i = 0; i < BATCH; i++) labels[i] = (int32_t)test_random_integer(&random, 0, CLASSES - 1);
    tgr_status status = tgr_model_forward(t->model, TGR_TRAIN, images, BATCH);
    if (status == TGR_OK) status = tgr_loss_compute(t->loss, labels, &loss);
    if (status == TGR_OK) status = tgr_loss_backward(t->loss);
    if (status == TGR_OK && position % MICRO == MICRO - 1) status = tgr_optimizer_step(t->optimizer);
    return status;
}

/* Evaluation changes no tensor. */
static void check_evaluation(training *t, uint64_t seed) {
    const tgr_parameters *parameters = test_model_parameters(t->model);
    const size_t bytes = (size_t)parameters->floats * sizeof(float);
    float *images = test_images(t->model, BATCH, seed), *before = malloc(bytes);
    assert_non_null(before);
    memcpy(before, parameters->values, bytes);
    assert_status(TGR_OK, tgr_model_forward(t->model, TGR_EVAL, images, BATCH));
    assert_same_bytes(parameters->values, before, bytes);
    free(before);
    free(images);
}

static void train_some(training *t, int64_t from, int64_t to, int evaluate) {
    for (int64_t position = from; position < to; position++) {
        if (evaluate) check_evaluation(t, (uint64_t)position);
        assert_status(TGR_OK, train(t, position));
    }
}

static void check_same(const training *a, const training *b) {
    const tgr_parameters *one = test_model_parameters(a->model), *other = test_model_parameters(b->model);
    assert_int_equal(one->step, other->step);
    assert_same_bytes(one->values, other->values, (size_t)one->floats * sizeof(float));
    assert_same_bytes(one->gradients, other->gradients, (size_t)one->floats * sizeof(float));
}

static void check_runs(const char *method, const char *more) {
    training whole, threads, resumed;
    char *path = test_file_create();
    print_message("%s %s\n", method, more);
    assert_status(TGR_OK, training_start(&whole, test_context(1, 7), method, more));
    train_some(&whole, 0, MICRO_BATCHES, 0);

    assert_status(TGR_OK, training_start(&threads, test_context(2, 7), method, more));
    train_some(&threads, 0, SAVED_AT, 1);
    assert_status(TGR_OK, tgr_checkpoint_save(threads.checkpoint, path));
    train_some(&threads, SAVED_AT, MICRO_BATCHES, 1);
    check_same(&threads, &whole);

    assert_status(TGR_OK, training_start(&resumed, test_context(1, 8), method, more));
    assert_status(TGR_OK, tgr_checkpoint_load(resumed.checkpoint, path));
    train_some(&resumed, SAVED_AT, MICRO_BATCHES, 0);
    check_same(&resumed, &whole);
    training_end(&resumed);
    training_end(&threads);
    training_end(&whole);
    test_file_remove(path);
}

/* fn(name of a method that is there, options on top) */
static void each_method(void (*fn)(const char *method, const char *more)) {
    const char *name;
    for (int64_t i = 0; tgr_method_describe(i, &name, NULL, NULL) == TGR_OK; i++)
        if (tgr_method_find((int)i) != NULL) fn(name, "");
    fn("tgr", "shared_experts=2 top_k=2 capacity_factor=0.7");
    fn("default", "top_k=2 default_weighted=0 default_beta=0.5");
    fn("loss-free", "top_k=2 capacity_factor=1 bias_rate=0.3");
    fn("dense-train", "top_k=2 shared_experts=1 mi_weight=0.5");
    fn("evomoe", "top_k=2 evo_threshold=0.25 renormalize=1");
    fn("expert-choice", "capacity_factor=2.5 eval_capacity_factor=0.5 shared_experts=1 z_weight=0.1");
    fn("soft", "soft_slots=3 shared_experts=1");
}

static void runs_are_the_same_to_the_bit(void **state) {
    (void)state;
    each_method(check_runs);
}

static void check_allocations(const char *method, const char *more) {
    training t;
    assert_status(TGR_OK, training_start(&t, test_context(2, 7), method, more));
    train_some(&t, 0, MICRO, 0);
    const uint64_t before = atomic_load(&t.context->allocations);
    train_some(&t, MICRO, 3 * MICRO, 0);
    assert_int_equal(atomic_load(&t.context->allocations), before);
    training_end(&t);
}

static void steps_allocate_nothing(void **state) {
    (void)state;
    each_method(check_allocations);
}

typedef struct choice {
    const char *method, *more;
} choice;

static tgr_status scarce(const tgr_allocator *allocator, void *user) {
    const choice *chosen = user;
    tgr_context_options options = {.struct_size = sizeof options, .threads = 1, .seed = 7, .allocator = allocator};
    tgr_context *context = NULL;
    tgr_status status = tgr_context_create(&context, &options);
    if (status != TGR_OK) return status;
    training t;
    status = training_start(&t, context, chosen->method, chosen->more);
    if (status == TGR_OK) status = train(&t, 0);
    training_end(&t);
    return status;
}

static void check_memory(const char *method, const char *more) {
    choice chosen = {method, more};
    assert_true(test_each_allocation_failing(scarce, &chosen) > 10);
}

static void every_allocation_may_fail(void **state) {
    (void)state;
    each_method(check_memory);
}

/* Shared experts are met by every token; of the routed ones each token meets top_k. */
static void shared_experts_are_active(void **state) {
    (void)state;
    tgr_context *context = test_context(1, 1);
    tgr_model *plain, *shared;
    int64_t total[2], active[2];
    plain = test_model(context, SIZES "method=vmoe moe_blocks=1,2 experts=4");
    shared = test_model(context, SIZES "method=vmoe moe_blocks=1,2 experts=4 shared_experts=3");
    assert_status(TGR_OK, tgr_model_parameter_counts(plain, &total[0], &active[0]));
    assert_status(TGR_OK, tgr_model_parameter_counts(shared, &total[1], &active[1]));
    const int64_t hidden = 3 * 64, more = 2 * (2 * 16 * hidden + hidden + 16);
    assert_int_equal(total[1] - total[0], more);
    assert_int_equal(active[1] - active[0], more);
    tgr_model_free(plain);
    tgr_model_free(shared);
    tgr_context_free(context);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(runs_are_the_same_to_the_bit),
        cmocka_unit_test(steps_allocate_nothing),
        cmocka_unit_test(every_allocation_may_fail),
        cmocka_unit_test(shared_experts_are_active),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

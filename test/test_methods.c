/* SPDX-License-Identifier: MIT */
/* What holds for every routing method: the same bytes at any number of threads, whether or not evaluation came between,
 * and after a resume in the middle of accumulation; a step that allocates nothing;
 * memory that fails. */
#include "base/context.h"
#include "training_support.h"

enum { MICRO_BATCHES = 9, SAVED_AT = 5 };

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

static void test_runs_are_the_same_to_the_bit(void **state) {
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

static void test_steps_allocate_nothing(void **state) {
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
    tgr_status status = TGR_OK;
    training t;
    TGR_TRY(tgr_context_create(&context, &options));
    TGR_TRY_DONE(training_start(&t, context, chosen->method, chosen->more));
    TGR_TRY_DONE(train(&t, 0));
done:
    training_end(&t);
    return status;
}

static void check_memory(const char *method, const char *more) {
    choice chosen = {method, more};
    assert_true(test_each_allocation_failing(scarce, &chosen) > 10);
}

static void test_every_allocation_may_fail(void **state) {
    (void)state;
    each_method(check_memory);
}

/* Every token goes to the shared experts, and to top_k of the routed ones. */
static void test_shared_experts_are_active(void **state) {
    (void)state;
    tgr_context *context = test_context(1, 1);
    tgr_model *plain, *shared;
    tgr_model_description sizes[2] = {{.struct_size = sizeof *sizes}, {.struct_size = sizeof *sizes}};
    plain = test_model(context, SIZES "method=vmoe moe_blocks=1,2 experts=4");
    shared = test_model(context, SIZES "method=vmoe moe_blocks=1,2 experts=4 shared_experts=3");
    assert_status(TGR_OK, tgr_model_describe(plain, &sizes[0]));
    assert_status(TGR_OK, tgr_model_describe(shared, &sizes[1]));
    const int64_t hidden = 3 * 64, more = 2 * (2 * 16 * hidden + hidden + 16);
    assert_int_equal(sizes[1].parameters - sizes[0].parameters, more);
    assert_int_equal(sizes[1].active_parameters - sizes[0].active_parameters, more);
    tgr_model_free(plain);
    tgr_model_free(shared);
    tgr_context_free(context);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_runs_are_the_same_to_the_bit),
        cmocka_unit_test(test_steps_allocate_nothing),
        cmocka_unit_test(test_every_allocation_may_fail),
        cmocka_unit_test(test_shared_experts_are_active),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: MIT */
/* Option precision: bfloat16 is refused where there is no such instruction, and a file of such a model runs there all
 * the same; where there is one, threads, batches, recomputing, resuming and numbers that are not finite matter as
 * little as in float32. */
#include <float.h>

#include "precision_support.h"
#include "tgrmoe/session.h"

/* Refusal. */

static tgr_config *bfloat16_config(tgr_context *context, const char *method) {
    tgr_config *config = test_config(context, SIZES "moe_blocks=1,2 precision=bfloat16");
    assert_status(TGR_OK, tgr_config_set(config, "method", method));
    return config;
}

static void check_refused(const tgr_kernels *kernels, tgr_status status) {
    const char *const parts[] = {"option 'precision' is bfloat16", "AMX or AVX512_BF16", kernels->name,
                                 "precision=float32 runs anywhere"};
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) assert_fails(TGR_ERROR_UNSUPPORTED, parts[i], status);
}

static void test_creation_is_refused(void **state) {
    (void)state;
    int refused = 0;
    FOR_KERNELS(kernels) {
        if (multiplies_bfloat16(kernels)) continue;
        tgr_context *context = test_context_with(kernels, 2, 7);
        void *const untouched = &refused;
        tgr_model *model = untouched;
        tgr_moe *moe = untouched;
        tgr_router *router = untouched;
        uint64_t before, after, bytes = 1;
        tgr_config *dense = bfloat16_config(context, "dense"), *sparse = bfloat16_config(context, "vmoe");
        before = tgr_context_bytes(context);
        check_refused(kernels, tgr_model_create(&model, context, dense));
        check_refused(kernels, tgr_model_create(&model, context, sparse));
        check_refused(kernels, tgr_moe_create(&moe, context, sparse, 16));
        check_refused(kernels, tgr_router_create(&router, context, sparse, 16));
        check_refused(kernels, tgr_model_estimate(context, sparse, 4, &bytes));
        assert_ptr_equal(model, untouched);
        assert_ptr_equal(moe, untouched);
        assert_ptr_equal(router, untouched);
        assert_int_equal(bytes, 1);
        after = tgr_context_bytes(context);
        assert_int_equal(after, before);
        assert_status(TGR_OK, tgr_config_set(sparse, "precision", "float32")); /* which is all that is needed */
        assert_status(TGR_OK, tgr_model_create(&model, context, sparse));
        tgr_model_free(model);
        tgr_config_free(dense);
        tgr_config_free(sparse);
        tgr_context_free(context);
        refused++;
    }
    assert_true(refused > 0); /* the portable kernels at least */
}

/* A file of a model that was trained in bfloat16 somewhere else: refused as it is, and how it is run. */
static void a_file_from_elsewhere(const tgr_kernels *kernels, const char *path, tgr_model *original) {
    tgr_context *context = test_context_with(kernels, 2, 8);
    tgr_model *const untouched = (tgr_model *)&context, *model = untouched;
    tgr_session *session = (tgr_session *)&context;
    tgr_config *config = NULL;
    tgr_checkpoint *file = NULL;
    uint64_t before, after;
    before = tgr_context_bytes(context);
    check_refused(kernels, tgr_model_load(&model, context, path, "model"));
    check_refused(kernels, tgr_session_create(&session, original, context));
    assert_ptr_equal(model, untouched);
    assert_ptr_equal(session, &context);
    after = tgr_context_bytes(context);
    assert_int_equal(after, before);

    assert_status(TGR_OK, tgr_config_load(&config, context, path, "model"));
    assert_status(TGR_OK, tgr_config_set(config, "precision", "float32"));
    assert_status(TGR_OK, tgr_model_create(&model, context, config));
    assert_status(TGR_OK, tgr_checkpoint_create(&file, context));
    assert_status(TGR_OK, tgr_checkpoint_add_model(file, "model", model));
    assert_status(TGR_OK, tgr_checkpoint_load(file, path));
    const tgr_parameters *mine = test_model_parameters(model), *theirs = test_model_parameters(original);
    assert_same_bytes(mine->values, theirs->values, (size_t)mine->floats * sizeof(float));
    tgr_checkpoint_free(file);
    tgr_model_free(model);
    tgr_config_free(config);
    tgr_context_free(context);
}

static void test_files_are_refused_or_run_in_float32(void **state) {
    (void)state;
    training t;
    tgr_context *context = bfloat16_context(1);
    char *path = test_file_create();
    assert_status(TGR_OK, training_start(&t, context, "vmoe", "precision=bfloat16"));
    assert_status(TGR_OK, train(&t, 0));
    assert_status(TGR_OK, tgr_checkpoint_save(t.checkpoint, path));
    FOR_KERNELS(kernels) {
        if (!multiplies_bfloat16(kernels)) a_file_from_elsewhere(kernels, path, t.model);
    }
    tgr_model *model = NULL; /* the file keeps the precision */
    assert_status(TGR_OK, tgr_model_load(&model, t.context, path, "model"));
    const tgr_config *config = tgr_model_config(model);
    assert_int_equal(tgr_option_i64(config, TGR_OPTION_PRECISION), TGR_PRECISION_BFLOAT16);
    tgr_model_free(model);
    test_file_remove(path);
    training_end(&t);
}

/* What does not change: bits that depend on threads or neighbours, other results. */

/* A step too small for bfloat16 to hold moves the weights. */
static void test_weights_stay_float32(void **state) {
    (void)state;
    training t;
    assert_status(TGR_OK, training_start(&t, bfloat16_context(1), "vmoe", "precision=bfloat16 lr=1e-5"));
    const tgr_parameters *parameters = test_model_parameters(t.model);
    const tgr_tensor *tensor = &parameters->tensors[0];
    int64_t large = 0, moved = 0, fine = 0;
    while (strcmp(tensor->name, "blocks.0.attn.qkv.weight") != 0) tensor++;
    float *before = malloc((size_t)tensor->count * sizeof(float));
    assert_non_null(before);
    memcpy(before, parameters->values + tensor->offset, (size_t)tensor->count * sizeof(float));
    FOR(position, MICRO) assert_status(TGR_OK, train(&t, position));
    FOR(i, tensor->count) {
        const float now = parameters->values[tensor->offset + i], step = fabsf(now - before[i]);
        uint32_t bits;
        if (fabsf(before[i]) < 0.1f) continue;
        memcpy(&bits, &now, sizeof bits);
        large++;
        moved += step > 0 && step < 0.1 * BFLOAT16_ROUNDING * fabs((double)before[i]);
        fine += (bits & 0xffff) != 0;
    }
    assert_true(large > 20);
    assert_true(moved > large / 2);
    assert_true(fine > large / 2);
    free(before);
    training_end(&t);
}

/* Trains two steps with `options` and keeps the state. */
static void train_two_steps(training *t, tgr_context *context, const char *method, const char *options) {
    assert_status(TGR_OK, training_start(t, context, method, options));
    FOR(position, 2 * MICRO + 1) assert_status(TGR_OK, train(t, position));
}

static void check_same(const training *a, const training *b) {
    const tgr_parameters *one = test_model_parameters(a->model), *other = test_model_parameters(b->model);
    assert_same_bytes(one->values, other->values, (size_t)one->floats * sizeof(float));
    assert_same_bytes(one->gradients, other->gradients, (size_t)one->floats * sizeof(float));
}

/* Experts wide enough that their products are cut differently for each number of threads. */
#define HEAVY "precision=bfloat16 embed_dim=64 mlp_ratio=16 image_size=8 patch_size=1 heads=4 "

static void check_threads(const tgr_kernels *kernels, const char *method) {
    static const int threads[] = {1, 2, 3, 7};
    tgr_model *first = NULL;
    float *images = NULL;
    for (size_t i = 0; i < sizeof threads / sizeof *threads; i++) {
        char options[256];
        tgr_loss *loss = NULL;
        double value;
        tgr_context *context = test_context_with(kernels, threads[i], 7);
        snprintf(options, sizeof options, SIZES HEAVY "experts=4 moe_blocks=2 method=%s", method);
        tgr_model *model = test_model(context, options);
        if (images == NULL) images = test_images(model, IMAGES, 4);
        assert_status(TGR_OK, tgr_loss_create(&loss, model, NULL));
        assert_status(TGR_OK, tgr_model_forward(model, TGR_TRAIN, images, IMAGES));
        assert_status(TGR_OK, tgr_loss_compute(loss, (const int32_t[IMAGES]){0, 1, 2, 3, 4, 0}, &value));
        assert_status(TGR_OK, tgr_loss_backward(loss));
        const tgr_parameters *parameters = test_model_parameters(model);
        if (first == NULL)
            first = model;
        else
            assert_same_bytes(parameters->gradients, test_model_parameters(first)->gradients,
                              (size_t)parameters->floats * sizeof(float));
        tgr_loss_free(loss);
        if (model != first) tgr_model_free(model);
        tgr_context_free(context);
    }
    tgr_model_free(first);
    free(images);
}

static void test_threads_do_not_matter(void **state) {
    (void)state;
    bfloat16_kernels();
    FOR_BFLOAT16_KERNELS(kernels) {
        check_threads(kernels, "dense");
        check_threads(kernels, "vmoe");
        check_threads(kernels, "soft");
    }
}

/* Logits of each image alone, and of all in one batch. */
static void test_an_image_does_not_depend_on_its_batch(void **state) {
    (void)state;
    bfloat16_kernels();
    FOR_BFLOAT16_KERNELS(kernels) {
        tgr_context *context = test_context_with(kernels, 2, 7);
        tgr_model *model = test_model(context, WIDE "method=vmoe top_k=2 shared_experts=1 precision=bfloat16");
        const int64_t pixels = 16 * 16;
        float *images = test_images(model, 5, 4), together[5 * CLASSES];
        assert_status(TGR_OK, tgr_model_forward(model, TGR_EVAL, images, 5));
        memcpy(together, test_logits(model), sizeof together);
        FOR(i, 5) {
            assert_status(TGR_OK, tgr_model_forward(model, TGR_EVAL, images + i * pixels, 1));
            assert_same_bytes(test_logits(model), together + i * CLASSES, CLASSES * sizeof(float));
        }
        free(images);
        tgr_model_free(model);
        tgr_context_free(context);
    }
}

static void test_recomputing_changes_nothing(void **state) {
    (void)state;
    const char *const choices[] = {"recompute=none", "recompute=experts", "recompute=blocks"};
    const char *const methods[] = {"vmoe", "soft", "default"};
    for (size_t m = 0; m < sizeof methods / sizeof *methods; m++) {
        training runs[3];
        for (int i = 0; i < 3; i++) {
            char options[128];
            snprintf(options, sizeof options, "precision=bfloat16 shared_experts=1 %s", choices[i]);
            train_two_steps(&runs[i], bfloat16_context(1 + i % 2), methods[m], options);
            check_same(&runs[i], &runs[0]);
        }
        for (int i = 0; i < 3; i++) training_end(&runs[i]);
    }
}

/* Saved after the second step; the third has the same bits in the run that was resumed. */
static void test_a_run_is_resumed_to_the_bit(void **state) {
    (void)state;
    training whole, resumed;
    tgr_context *context = bfloat16_context(2);
    char *path = test_file_create();
    train_two_steps(&whole, context, "vmoe", "precision=bfloat16");
    assert_status(TGR_OK, tgr_checkpoint_save(whole.checkpoint, path));
    assert_status(TGR_OK, training_start(&resumed, bfloat16_context(1), "vmoe", "precision=bfloat16"));
    assert_status(TGR_OK, tgr_checkpoint_load(resumed.checkpoint, path));
    for (int64_t position = 2 * MICRO + 1; position < 4 * MICRO; position++) {
        assert_status(TGR_OK, train(&whole, position));
        assert_status(TGR_OK, train(&resumed, position));
    }
    check_same(&resumed, &whole);
    training_end(&resumed);
    training_end(&whole);
    test_file_remove(path);
}

static void test_sessions_compute_the_same(void **state) {
    (void)state;
    tgr_context *context = bfloat16_context(2), *alone = bfloat16_context(1);
    tgr_model *model = test_model(context, WIDE "method=vmoe top_k=2 precision=bfloat16");
    tgr_session *session = NULL;
    const float *logits;
    float *images = test_images(model, IMAGES, 4);
    assert_status(TGR_OK, tgr_session_create(&session, model, alone));
    assert_status(TGR_OK, tgr_session_forward(session, images, IMAGES));
    assert_status(TGR_OK, tgr_session_logits(session, &logits));
    assert_status(TGR_OK, tgr_model_forward(model, TGR_EVAL, images, IMAGES));
    assert_same_bytes(logits, test_logits(model), IMAGES * CLASSES * sizeof(float));
    free(images);
    tgr_session_free(session);
    tgr_model_free(model);
    tgr_context_free(alone);
    tgr_context_free(context);
}

/* Pixels that are no number, or as large that their bfloat16 is infinite: no step is taken; the next batch is fine. */
static void test_what_is_not_finite_changes_no_weight(void **state) {
    (void)state;
    const float bad[] = {NAN, INFINITY, -INFINITY, FLT_MAX};
    bfloat16_kernels();
    FOR_BFLOAT16_KERNELS(kernels) {
        training t;
        assert_status(TGR_OK, training_start(&t, test_context_with(kernels, 2, 7), "vmoe", "precision=bfloat16"));
        const tgr_parameters *parameters = test_model_parameters(t.model);
        const size_t bytes = (size_t)parameters->floats * sizeof(float);
        float *before = malloc(bytes), *images = test_images(t.model, BATCH, 4);
        assert_non_null(before);
        memcpy(before, parameters->values, bytes);
        for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
            double loss;
            images[PIXELS + 20] = bad[i];
            assert_status(TGR_OK, tgr_model_forward(t.model, TGR_TRAIN, images, BATCH));
            assert_false(isfinite(test_logits(t.model)[CLASSES])); /* of the second image */
            FOR(c, CLASSES) {
                assert_true(isfinite(test_logits(t.model)[c]));
                assert_true(isfinite(test_logits(t.model)[2 * CLASSES + c]));
            }
            assert_fails(TGR_ERROR_NONFINITE, "", tgr_loss_compute(t.loss, (const int32_t[BATCH]){0, 1, 2}, &loss));
            assert_same_bytes(parameters->values, before, bytes);
        }
        FOR(position, MICRO) assert_status(TGR_OK, train(&t, position));
        FOR(i, parameters->floats) assert_true(isfinite(parameters->values[i]));
        free(before);
        free(images);
        training_end(&t);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_creation_is_refused),
        cmocka_unit_test(test_files_are_refused_or_run_in_float32),
        cmocka_unit_test(test_weights_stay_float32),
        cmocka_unit_test(test_threads_do_not_matter),
        cmocka_unit_test(test_an_image_does_not_depend_on_its_batch),
        cmocka_unit_test(test_recomputing_changes_nothing),
        cmocka_unit_test(test_a_run_is_resumed_to_the_bit),
        cmocka_unit_test(test_sessions_compute_the_same),
        cmocka_unit_test(test_what_is_not_finite_changes_no_weight),
    };
    return cmocka_run_group_tests_name("precision", tests, NULL, NULL);
}

/* SPDX-License-Identifier: MIT */
/* Option precision: how far bfloat16 takes results from those of float32, that it leaves routers alone, and that
 * processors agree on it. */
#include "precision_support.h"

/* Loss and gradients of one batch of a wide model with the same weights in this precision. */
static double pass(tgr_context *context, const char *options, const char *precision, float **gradients,
                   tgr_model **out) {
    char text[512];
    tgr_loss *loss = NULL;
    double value;
    snprintf(text, sizeof text, WIDE "precision=%s %s", precision, options);
    tgr_model *model = test_model(context, text);
    const tgr_parameters *parameters = test_model_parameters(model);
    const size_t bytes = (size_t)parameters->floats * sizeof(float);
    float *images = test_images(model, IMAGES, 4);
    assert_status(TGR_OK, tgr_loss_create(&loss, model, NULL));
    assert_status(TGR_OK, tgr_model_forward(model, TGR_TRAIN, images, IMAGES));
    assert_status(TGR_OK, tgr_loss_compute(loss, (const int32_t[IMAGES]){0, 1, 2, 3, 4, 0}, &value));
    assert_status(TGR_OK, tgr_loss_backward(loss));
    *gradients = malloc(bytes);
    assert_non_null(*gradients);
    memcpy(*gradients, parameters->gradients, bytes);
    tgr_loss_free(loss);
    free(images);
    *out = model;
    return value;
}

static double cosine(const float *a, const float *b, int64_t count) {
    double product = 0, a_square = 0, b_square = 0;
    FOR(i, count) {
        product += (double)a[i] * b[i];
        a_square += (double)a[i] * a[i];
        b_square += (double)b[i] * b[i];
    }
    return product / sqrt(a_square * b_square);
}

/* Loss within 1 %, gradients in the same direction: all together, and each tensor alone. */
static void check_close_to_float32(tgr_context *context, const char *options) {
    float *exact, *rounded;
    tgr_model *one, *other;
    const double loss = pass(context, options, "float32", &exact, &one);
    const double apart = pass(context, options, "bfloat16", &rounded, &other) - loss;
    const tgr_parameters *parameters = test_model_parameters(one);
    const double together = cosine(exact, rounded, parameters->floats);
    double worst = 1;
    const char *name = "";
    FOR(t, parameters->tensor_count) {
        const tgr_tensor *tensor = &parameters->tensors[t];
        double alone = cosine(exact + tensor->offset, rounded + tensor->offset, tensor->count);
        if (!(alone >= worst)) worst = alone, name = tensor->name;
    }
    print_message("%s: loss %.5f %+.5f, cosine %.6f, worst %.5f (%s)\n", options, loss, apart, together, worst, name);
    assert_true(apart != 0); /* that it is on */
    assert_true(fabs(apart) <= 0.01 * loss);
    assert_true(together > 0.999);
    assert_true(worst > 0.99);
    free(exact);
    free(rounded);
    tgr_model_free(one);
    tgr_model_free(other);
}

static void test_loss_and_gradients_are_close(void **state) {
    (void)state;
    bfloat16_kernels();
    FOR_BFLOAT16_KERNELS(kernels) {
        tgr_context *context = test_context_with(kernels, 2, 7);
        check_close_to_float32(context, "method=dense");
        check_close_to_float32(context, "method=dense layer_scale=0.1 distillation_token=1");
        check_close_to_float32(context, "method=soft");
        check_close_to_float32(context, "method=dense-train");
        check_close_to_float32(context, "method=vmoe top_k=4");
        check_close_to_float32(context, "method=vmoe top_k=4 shared_experts=1 recompute=blocks");
        tgr_context_free(context);
    }
}

/* Every method, with capacity, shared experts and the rest: routings may differ where tokens are near a tie. */
static void check_method_is_near(const char *method, const char *more) {
    double losses[2];
    for (int precision = 0; precision < 2; precision++) {
        training t;
        char options[256];
        snprintf(options, sizeof options, "precision=%s %s", precision ? "bfloat16" : "float32", more);
        assert_status(TGR_OK, training_start(&t, bfloat16_context(2), method, options));
        FOR(position, 2 * MICRO) assert_status(TGR_OK, train(&t, position));
        assert_status(TGR_OK, tgr_loss_term_value(t.loss, "task", &losses[precision]));
        training_end(&t);
    }
    print_message("%s %s: task %.5f %+.5f\n", method, more, losses[0], losses[1] - losses[0]);
    assert_true(losses[0] != losses[1]);
    assert_true(fabs(losses[1] - losses[0]) <= 0.05 * losses[0]);
}

static void test_every_method_is_near_float32(void **state) {
    (void)state;
    bfloat16_kernels();
    each_method(check_method_is_near);
    check_method_is_near("dense", "layer_scale=0.1");
}

static tgr_moe *make_moe(tgr_context *context, const char *method, const char *precision, int64_t dim) {
    tgr_moe *moe;
    tgr_config *config = test_config(context, "experts=8 init_std=0.2 total_steps=8");
    assert_status(TGR_OK, tgr_config_set(config, "method", method));
    assert_status(TGR_OK, tgr_config_set(config, "precision", precision));
    assert_status(TGR_OK, tgr_moe_create(&moe, context, config, dim));
    tgr_config_free(config);
    return moe;
}

/* The same tokens are routed the same bit for bit, but experts compute differently. */
static void test_routers_stay_float32(void **state) {
    (void)state;
    enum { TOKENS = 100, DIM = 48, EXPERTS = 8 };
    const char *const methods[] = {"vmoe",          "switch",    "base",        "default",
                                   "expert-choice", "loss-free", "dense-train", "evomoe"};
    const char *const precisions[] = {"float32", "bfloat16"};
    bfloat16_kernels();
    FOR_BFLOAT16_KERNELS(kernels) {
        tgr_context *context = test_context_with(kernels, 2, 7);
        test_random random = test_random_start(3);
        float *x = test_random_floats(&random, TOKENS * DIM), y[2][TOKENS * DIM];
        for (size_t m = 0; m < sizeof methods / sizeof *methods; m++) {
            const float *logits[2], *probabilities[2], *gates[2];
            const int32_t *choices[2];
            tgr_moe *moes[2];
            for (int i = 0; i < 2; i++) {
                moes[i] = make_moe(context, methods[m], precisions[i], DIM);
                assert_status(TGR_OK, tgr_moe_forward(moes[i], TGR_TRAIN, x, TOKENS, y[i]));
                const tgr_routing *routing = tgr_moe_routing(moes[i]);
                const tgr_routing_view view = test_routing_view(routing);
                logits[i] = view.logits;
                probabilities[i] = view.probabilities;
                choices[i] = view.choices;
                gates[i] = view.gates;
            }
            assert_same_bytes(logits[1], logits[0], TOKENS * EXPERTS * sizeof(float));
            assert_same_bytes(probabilities[1], probabilities[0], TOKENS * EXPERTS * sizeof(float));
            assert_same_bytes(choices[1], choices[0], TOKENS * sizeof(int32_t));
            assert_same_bytes(gates[1], gates[0], TOKENS * sizeof(float));
            assert_memory_not_equal(y[1], y[0], sizeof y[0]);
            double size = 0;
            FOR(i, TOKENS * DIM) size = fmax(size, fabs((double)y[0][i]));
            assert_all_close(y[1], y[0], TOKENS * DIM, 4 * BFLOAT16_ROUNDING * size, 0);
            for (int i = 0; i < 2; i++) tgr_moe_free(moes[i]);
        }
        free(x);
        tgr_context_free(context);
    }
}

/* ‖a - b‖ / ‖b‖ */
static double distance(const float *a, const float *b, int64_t count) {
    double apart = 0, size = 0;
    FOR(i, count) {
        apart += ((double)a[i] - b[i]) * ((double)a[i] - b[i]);
        size += (double)b[i] * b[i];
    }
    return sqrt(apart / size);
}

/* The instructions of two processors differ in how they round sums, which is as little as float32 is off. More comes
 * of it only where that little makes a number round to another bfloat16: hardly ever in one layer, but what comes
 * behind is moved by that, and in a deep model most of it. */
static void test_processors_agree(void **state) {
    (void)state;
    enum { TOKENS = 200, DIM = 64 };
    bfloat16_kernels();
    test_random random = test_random_start(3);
    float *x = test_random_floats(&random, TOKENS * DIM), *y = malloc(3 * TOKENS * DIM * sizeof(float));
    int64_t rows = 0;
    assert_non_null(y);
    FOR_BFLOAT16_KERNELS(kernels) {
        tgr_context *context = test_context_with(kernels, 2, 7);
        const char *const precisions[] = {"float32", "bfloat16"};
        float *last = y + 2 * TOKENS * DIM;
        for (int i = 0; i < 2; i++) {
            float *to = i == 0 ? last : rows == 0 ? y : y + TOKENS * DIM;
            tgr_moe *moe = make_moe(context, "vmoe", precisions[i], DIM);
            assert_status(TGR_OK, tgr_moe_forward(moe, TGR_EVAL, x, TOKENS, to));
            tgr_moe_free(moe);
        }
        if (rows++ > 0) {
            const double apart = distance(y + TOKENS * DIM, y, TOKENS * DIM),
                         rounding = distance(y, last, TOKENS * DIM);
            print_message("bfloat16: %s %.2g from others, %.2g from float32\n", kernels->name, apart, rounding);
            assert_true(apart < rounding / 100);
        }
        tgr_context_free(context);
    }
    free(x);
    free(y);
}

/* The same in a model, through which the difference grows. */
static void models_agree(const char *options) {
    float *first = NULL;
    double first_loss = 0;
    FOR_BFLOAT16_KERNELS(kernels) {
        tgr_context *context = test_context_with(kernels, 2, 7);
        tgr_model *model;
        float *gradients;
        const double loss = pass(context, options, "bfloat16", &gradients, &model);
        if (first == NULL) {
            first = gradients;
            first_loss = loss;
        } else {
            const double apart = distance(gradients, first, test_model_parameters(model)->floats);
            print_message("%s: loss %.6f %+.2g, gradients %.2g\n", options, loss, loss - first_loss, apart);
            assert_close(loss, first_loss, 1e-3 * loss);
            assert_true(apart < 0.005);
            free(gradients);
        }
        tgr_model_free(model);
        tgr_context_free(context);
    }
    free(first);
}

static void test_processors_agree_on_models(void **state) {
    (void)state;
    bfloat16_kernels();
    models_agree("method=dense");
    models_agree("method=soft");
    models_agree("method=vmoe top_k=4");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_loss_and_gradients_are_close), cmocka_unit_test(test_every_method_is_near_float32),
        cmocka_unit_test(test_routers_stay_float32),         cmocka_unit_test(test_processors_agree),
        cmocka_unit_test(test_processors_agree_on_models),
    };
    return cmocka_run_group_tests_name("precision_error", tests, NULL, NULL);
}

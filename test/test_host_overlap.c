/* SPDX-License-Identifier: MIT */
/* A host that passes overlapping buffers: what cannot be computed with them is refused, and the pass is as
 * if the call had not been; what can be is. */
#include "training_support.h"

enum { TOKENS = 24, DIM = 16 };

/* Room for x, dy and dx, each [TOKENS, DIM], and a row between any two. */
static float memory[3 * (TOKENS + 1) * DIM];
static float *const x = memory, *const dy = memory + (TOKENS + 1) * DIM, *const dx = memory + 2 * (TOKENS + 1) * DIM;

static void fill(void) {
    test_random random = test_random_start(5);
    test_random_fill(&random, memory, sizeof memory / sizeof *memory, -1, 1);
}

/* Where dx must not be: on x, on dy, one row into either, from before or behind. */
static float *const places[] = {memory,
                                memory + DIM,
                                memory + (TOKENS - 1) * DIM,
                                memory + (TOKENS + 1) * DIM + DIM,
                                memory + (TOKENS + 1) * DIM,
                                memory + TOKENS *DIM,
                                memory + 2 * TOKENS *DIM};
enum { PLACES = sizeof places / sizeof *places };

/* Whether dx at that place shares memory with x, or with `gradient` of `columns`. */
static int is_wrong(const float *place, const float *gradient, int64_t columns) {
    return (place < x + TOKENS * DIM && x < place + TOKENS * DIM) ||
           (place < gradient + TOKENS * columns && gradient < place + TOKENS * DIM);
}

/* The gradients of all parameters, then dx; to be freed with free(). */
static float *gather(const tgr_parameters *parameters, size_t *bytes) {
    *bytes = (size_t)(parameters->floats + TOKENS * DIM) * sizeof(float);
    float *all = malloc(*bytes);
    assert_non_null(all);
    memcpy(all, parameters->gradients, (size_t)parameters->floats * sizeof(float));
    memcpy(all + parameters->floats, dx, (size_t)(TOKENS * DIM) * sizeof(float));
    return all;
}

/* A layer with its pass and backward, with calls that are to be refused in between, or without. NULL where the method
 * is for models only. */
static float *run_layer(tgr_context *context, const tgr_config *config, int disturbed, size_t *bytes) {
    float y[TOKENS * DIM];
    tgr_moe *moe = NULL;
    if (tgr_moe_create(&moe, context, config, DIM) == TGR_ERROR_UNSUPPORTED) return NULL;
    tgr_parameters *parameters = tgr_moe_parameters(moe);
    assert_status(TGR_OK, tgr_moe_forward(moe, TGR_TRAIN, x, TOKENS, y));
    for (int i = 0; i < PLACES && disturbed; i++)
        if (is_wrong(places[i], dy, DIM))
            assert_fails(TGR_ERROR_ARGUMENT, "overlap", tgr_moe_backward(moe, dy, places[i]));
    assert_status(TGR_OK, tgr_moe_backward(moe, dy, dx));
    float *all = gather(parameters, bytes);
    tgr_moe_free(moe);
    return all;
}

/* The same of a router, and its gates' gradient. */
static float *run_router(tgr_context *context, const tgr_config *config, int disturbed, size_t *bytes) {
    tgr_router *router = NULL;
    int64_t top_k = 0;
    if (tgr_router_create(&router, context, config, DIM) == TGR_ERROR_UNSUPPORTED) return NULL;
    assert_status(TGR_OK, tgr_config_get_i64(config, TGR_OPTION_TOP_K, &top_k));
    tgr_parameters *parameters = tgr_router_parameters(router);
    assert_status(TGR_OK, tgr_router_forward(router, TGR_TRAIN, x, TOKENS));
    for (int i = 0; i < PLACES && disturbed; i++)
        if (is_wrong(places[i], dy, top_k))
            assert_fails(TGR_ERROR_ARGUMENT, "overlap", tgr_router_backward(router, dy, places[i]));
    assert_status(TGR_OK, tgr_router_backward(router, dy, dx));
    float *all = gather(parameters, bytes);
    tgr_router_free(router);
    return all;
}

typedef float *run_fn(tgr_context *context, const tgr_config *config, int disturbed, size_t *bytes);

static int check_run(run_fn *run, const char *options) {
    size_t bytes = 0;
    float *results[2];
    for (int disturbed = 0; disturbed < 2; disturbed++) {
        tgr_context *context = test_context(2, 7);
        tgr_config *config = NULL;
        fill();
        assert_status(TGR_OK, tgr_config_create(&config, context));
        assert_status(TGR_OK, test_config_set_all(config, options));
        results[disturbed] = run(context, config, disturbed, &bytes);
        tgr_config_free(config);
        tgr_context_free(context);
    }
    const int ran = results[0] != NULL;
    if (ran) assert_same_bytes(results[1], results[0], bytes);
    free(results[0]);
    free(results[1]);
    return ran;
}

static int runs; /* layers and routers that there were */

static void check_method(const char *method, const char *more) {
    char options[512];
    if (strcmp(method, "dense") == 0) return;
    for (int shared = 0; shared < 2; shared++) {
        snprintf(options, sizeof options, "method=%s experts=4 mlp_ratio=2 total_steps=8 shared_experts=%d %s%s",
                 method, shared, strcmp(method, "soft") == 0 ? "soft_slots=3 " : "", more);
        runs += check_run(run_layer, options);
        runs += check_run(run_router, options);
    }
}

static void test_layers_and_routers(void **state) {
    (void)state;
    each_method(check_method);
    assert_true(runs > 20);
}

/* Lent logits and features as their own gradients: half the sum of squares is a loss. */
static void test_lent_rows_as_gradients(void **state) {
    (void)state;
    static const char *const recompute[] = {"recompute=none", "recompute=experts", "recompute=blocks"};
    for (int i = 0; i < 3; i++) {
        float *gradients[2];
        size_t bytes = 0;
        for (int copied = 0; copied < 2; copied++) {
            training t;
            float logits[BATCH * CLASSES], features[BATCH * 5 * 16];
            assert_status(TGR_OK, training_start(&t, test_context(2, 7), "vmoe", recompute[i]));
            float *images = test_images(t.model, BATCH, 3);
            assert_status(TGR_OK, tgr_model_forward(t.model, TGR_TRAIN, images, BATCH));
            memcpy(logits, test_logits(t.model), sizeof logits);
            memcpy(features, test_features(t.model), sizeof features);
            assert_status(TGR_OK, tgr_model_backward(t.model, copied ? logits : test_logits(t.model),
                                                     copied ? features : test_features(t.model)));
            const tgr_parameters *parameters = test_model_parameters(t.model);
            bytes = (size_t)parameters->floats * sizeof(float);
            gradients[copied] = malloc(bytes);
            assert_non_null(gradients[copied]);
            memcpy(gradients[copied], parameters->gradients, bytes);
            free(images);
            training_end(&t);
        }
        assert_same_bytes(gradients[0], gradients[1], bytes);
        free(gradients[0]);
        free(gradients[1]);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_layers_and_routers),
        cmocka_unit_test(test_lent_rows_as_gradients),
    };
    return cmocka_run_group_tests_name("host_overlap", tests, NULL, NULL);
}

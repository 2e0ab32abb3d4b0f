/* SPDX-License-Identifier: MIT */
/* The teacher router alone: its probabilities and objective against plain double precision, its gradient against
 * finite differences, and its misuse. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/parameters.h"
#include "support.h"
#include "tgrmoe/optimizer.h"
#include "tgrmoe/teacher.h"

static tgr_status try_router(tgr_teacher_router **out, tgr_context *context, int64_t dim, int64_t experts) {
    tgr_config *config = NULL;
    tgr_status status = TGR_OK;
    TGR_TRY_DONE(tgr_config_create(&config, context));
    TGR_TRY_DONE(tgr_config_set(config, "teacher_load_weight", "0.7"));
    TGR_TRY_DONE(tgr_config_set(config, "teacher_entropy_weight", "0.3"));
    TGR_TRY_DONE(tgr_teacher_router_create(out, context, config, dim, experts));
done:
    tgr_config_free(config);
    return status;
}

/* The objective of Kada et al.. `logits` [tokens, experts]. */
static double naive(const double *logits, int64_t tokens, int64_t experts, double *balance, double *entropy) {
    double *importance = calloc((size_t)experts, sizeof *importance);
    assert_non_null(importance);
    *entropy = 0;
    FOR(t, tokens) {
        const double *l = logits + t * experts;
        double most = l[0], sum = 0;
        FOR(e, experts) most = fmax(most, l[e]);
        FOR(e, experts) sum += exp(l[e] - most);
        FOR(e, experts) {
            double p = exp(l[e] - most) / sum;
            importance[e] += p / (double)tokens;
            if (p > 0) *entropy -= p * log(p) / (double)tokens;
        }
    }
    double mean = 0, variance = 0;
    FOR(e, experts) mean += importance[e] / (double)experts;
    FOR(e, experts) variance += pow(importance[e] - mean, 2) / (double)experts;
    *balance = variance / (mean * mean);
    free(importance);
    return 0.7 * *balance + 0.3 * *entropy;
}

static double naive_objective(const double *weight, const float *features, int64_t tokens, int64_t dim, int64_t experts,
                              double *balance, double *entropy) {
    double *logits = calloc((size_t)(tokens * experts), sizeof *logits);
    assert_non_null(logits);
    FOR(t, tokens)
        FOR(e, experts)
            FOR(d, dim) logits[t * experts + e] += weight[e * dim + d] * features[t * dim + d];
    double value = naive(logits, tokens, experts, balance, entropy);
    free(logits);
    return value;
}

static void check_objective(int64_t tokens, int64_t dim, int64_t experts, double size) {
    tgr_context *context = test_context(2, 1);
    test_random random = test_random_start((uint64_t)(tokens + 100 * dim));
    tgr_teacher_router *router = NULL;
    const float *p = NULL;
    assert_status(TGR_OK, try_router(&router, context, dim, experts));
    tgr_parameters *parameters = tgr_teacher_router_parameters(router);
    float *features = test_random_floats(&random, tokens * dim), *weight = tgr_value(parameters, 0);
    float *expected = test_random_floats(&random, experts * dim);
    double *wide = calloc((size_t)(experts * dim), sizeof *wide);
    assert_non_null(wide);
    test_random_fill(&random, weight, experts * dim, -size, size);
    FOR(i, experts * dim) wide[i] = weight[i];

    tgr_teacher_measures measures = {.struct_size = sizeof measures};
    double balance, entropy, right_balance, right_entropy;
    assert_status(TGR_OK, tgr_teacher_router_forward(router, features, tokens, &p));
    FOR(t, tokens) {
        double sum = 0;
        FOR(e, experts) sum += p[t * experts + e];
        assert_close(sum, 1, 1e-5);
    }
    assert_status(TGR_OK, tgr_teacher_router_measure(router, &measures));
    double right = naive_objective(wide, features, tokens, dim, experts, &right_balance, &right_entropy);
    assert_close(measures.balance, right_balance, 2e-5 * (1 + right_balance));
    assert_close(measures.entropy, right_entropy, 2e-5 * (1 + right_entropy));
    assert_close(measures.objective, right, 2e-5 * (1 + right));

    FOR(i, experts * dim) {
        double kept = wide[i], step = 1e-5, up, down;
        wide[i] = kept + step;
        up = naive_objective(wide, features, tokens, dim, experts, &balance, &entropy);
        wide[i] = kept - step;
        down = naive_objective(wide, features, tokens, dim, experts, &balance, &entropy);
        wide[i] = kept;
        expected[i] = (float)((up - down) / (2 * step));
    }
    assert_status(TGR_OK, tgr_teacher_router_backward(router));
    assert_int_equal(parameters->micro, 1);
    assert_all_close(tgr_gradient(parameters, 0), expected, experts * dim, 3e-6, 3e-5);
    free(wide);
    free(expected);
    free(features);
    tgr_teacher_router_free(router);
    tgr_context_free(context);
}

static void test_objective(void **unused) {
    (void)unused;
    check_objective(1, 3, 2, 1);
    check_objective(7, 5, 4, 2);
    check_objective(300, 6, 8, 2);
    check_objective(513, 3, 5, 8);
    check_objective(64, 4, 1, 1);
    check_objective(256, 1, 16, 3);
}

/* Perfect balance, perfect confidence, an expert that no token takes: all finite, all with known values. */
static void test_edges(void **unused) {
    (void)unused;
    enum { TOKENS = 400, EXPERTS = 4 };
    tgr_context *context = test_context(1, 1);
    tgr_teacher_router *router = NULL;
    tgr_teacher_measures measures = {.struct_size = sizeof measures};
    float *features = calloc(TOKENS * EXPERTS, sizeof *features); /* one-hot: token t is of kind t mod 4 */
    assert_non_null(features);
    for (int t = 0; t < TOKENS; t++) features[t * EXPERTS + t % EXPERTS] = 1;
    assert_status(TGR_OK, try_router(&router, context, EXPERTS, EXPERTS));
    tgr_parameters *parameters = tgr_teacher_router_parameters(router);
    float *weight = tgr_value(parameters, 0), *gradient = tgr_gradient(parameters, 0);

    memset(weight, 0, EXPERTS * EXPERTS * sizeof *weight); /* uniform */
    assert_status(TGR_OK, tgr_teacher_router_forward(router, features, TOKENS, NULL));
    assert_status(TGR_OK, tgr_teacher_router_measure(router, &measures));
    assert_true(measures.balance == 0);
    assert_close(measures.entropy, log(EXPERTS), 1e-7);
    assert_status(TGR_OK, tgr_teacher_router_backward(router));
    for (int i = 0; i < EXPERTS * EXPERTS; i++) assert_close(gradient[i], 0, 1e-9);

    for (int e = 0; e < EXPERTS; e++) weight[e * EXPERTS + e] = 1000; /* sure and balanced: p is 0 and 1 */
    assert_status(TGR_OK, tgr_teacher_router_forward(router, features, TOKENS, NULL));
    assert_status(TGR_OK, tgr_teacher_router_measure(router, &measures));
    assert_true(measures.balance == 0 && measures.entropy == 0 && measures.objective == 0);
    assert_status(TGR_OK, tgr_teacher_router_backward(router));
    for (int i = 0; i < EXPERTS * EXPERTS; i++) assert_close(gradient[i], 0, 1e-9);

    for (int k = 0; k < EXPERTS; k++) weight[2 * EXPERTS + k] = 5000; /* all to expert 2: CV² = E - 1 */
    assert_status(TGR_OK, tgr_teacher_router_forward(router, features, TOKENS, NULL));
    assert_status(TGR_OK, tgr_teacher_router_measure(router, &measures));
    assert_close(measures.balance, EXPERTS - 1, 1e-12);
    assert_true(measures.entropy == 0);
    assert_status(TGR_OK, tgr_teacher_router_backward(router));
    for (int i = 0; i < EXPERTS * EXPERTS; i++) assert_true(isfinite(gradient[i]));

    weight[0] = NAN;
    assert_status(TGR_OK, tgr_teacher_router_forward(router, features, TOKENS, NULL));
    assert_status(TGR_OK, tgr_teacher_router_measure(router, &measures));
    assert_true(isnan(measures.objective));
    free(features);
    tgr_teacher_router_free(router);
    tgr_context_free(context);
}

/* On a host's own features, with the library's optimizer: the objective falls, the same at any number of threads. */
static void test_trains(void **unused) {
    (void)unused;
    enum { TOKENS = 700, DIM = 12, EXPERTS = 6 };
    float first[EXPERTS * DIM];
    test_random random = test_random_start(9);
    float *features = test_random_floats(&random, TOKENS * DIM);
    FOR_THREADS(threads) {
        tgr_context *context = test_context(threads, 5);
        tgr_teacher_router *router = NULL;
        tgr_optimizer *optimizer = NULL;
        double start = 0;
        int64_t before = 0;
        tgr_teacher_measures end = {.struct_size = sizeof end};
        tgr_config *config = test_config(context, "lr=0.05");
        assert_status(TGR_OK, try_router(&router, context, DIM, EXPERTS));
        tgr_parameters *parameters = tgr_teacher_router_parameters(router);
        assert_status(TGR_OK, tgr_optimizer_create(&optimizer, config, parameters));
        for (int step = 0; step < 40; step++) {
            assert_status(TGR_OK, tgr_teacher_router_forward(router, features, TOKENS, NULL));
            assert_status(TGR_OK, tgr_teacher_router_measure(router, &end));
            if (step == 0) {
                start = end.objective;
                before = tgr_context_allocation_count(context);
            }
            assert_status(TGR_OK, tgr_teacher_router_backward(router));
            assert_status(TGR_OK, tgr_optimizer_step(optimizer));
        }
        assert_int_equal(before, tgr_context_allocation_count(context));
        assert_true(end.objective < 0.8 * start);
        if (threads == 1) memcpy(first, tgr_value(parameters, 0), sizeof first);
        assert_same_bytes(tgr_value(parameters, 0), first, sizeof first);
        tgr_optimizer_free(optimizer);
        tgr_teacher_router_free(router);
        tgr_config_free(config);
        tgr_context_free(context);
    }
    free(features);
}

static void test_misuse(void **unused) {
    (void)unused;
    tgr_context *context = test_context(1, 1);
    tgr_teacher_router *router = NULL;
    tgr_teacher_measures measures = {.struct_size = sizeof measures, .objective = 42};
    const float features[2] = {1, 2}, *p = NULL;
    tgr_config *config = test_config(context, "");
    assert_fails(TGR_ERROR_ARGUMENT, "out", tgr_teacher_router_create(NULL, context, config, 2, 2));
    assert_fails(TGR_ERROR_ARGUMENT, "context", tgr_teacher_router_create(&router, NULL, config, 2, 2));
    assert_fails(TGR_ERROR_ARGUMENT, "config", tgr_teacher_router_create(&router, context, NULL, 2, 2));
    const int64_t bad[] = {0, -1, INT64_MIN, INT64_MAX, 65537};
    for (int i = 0; i < 5; i++) {
        assert_fails(TGR_ERROR_RANGE, "'dim'", tgr_teacher_router_create(&router, context, config, bad[i], 2));
        assert_fails(TGR_ERROR_RANGE, "'experts'", tgr_teacher_router_create(&router, context, config, 2, bad[i]));
    }
    assert_null(router);
    assert_status(TGR_OK, tgr_teacher_router_create(&router, context, config, 2, 2));
    assert_fails(TGR_ERROR_STATE, "no forward", tgr_teacher_router_measure(router, &measures));
    assert_fails(TGR_ERROR_STATE, "no forward", tgr_teacher_router_backward(router));
    assert_fails(TGR_ERROR_ARGUMENT, "router", tgr_teacher_router_forward(NULL, features, 1, &p));
    assert_fails(TGR_ERROR_ARGUMENT, "features", tgr_teacher_router_forward(router, NULL, 1, &p));
    assert_fails(TGR_ERROR_RANGE, "'tokens'", tgr_teacher_router_forward(router, features, 0, &p));
    assert_fails(TGR_ERROR_RANGE, "'tokens'", tgr_teacher_router_forward(router, features, -7, &p));
    assert_status(TGR_ERROR_OVERFLOW, tgr_teacher_router_forward(router, features, INT64_MAX, &p));
    assert_status(TGR_ERROR_OVERFLOW, tgr_teacher_router_forward(router, features, INT64_MAX / 8, &p));
    assert_fails(TGR_ERROR_ARGUMENT, "router", tgr_teacher_router_measure(NULL, &measures));
    assert_fails(TGR_ERROR_ARGUMENT, "router", tgr_teacher_router_backward(NULL));
    assert_null(tgr_teacher_router_parameters(NULL));
    assert_true(measures.objective == 42 && p == NULL);
    assert_status(TGR_OK, tgr_teacher_router_forward(router, features, 1, &p));
    assert_status(TGR_OK, tgr_teacher_router_measure(router, &measures));
    assert_status(TGR_OK, tgr_teacher_router_backward(router));
    assert_fails(TGR_ERROR_STATE, "already", tgr_teacher_router_backward(router));
    assert_status(TGR_OK, tgr_teacher_router_measure(router, &measures));
    tgr_teacher_router_free(NULL);
    tgr_config_free(config);
    tgr_context_free(context);
    assert_status(TGR_OK, tgr_teacher_router_forward(router, features, 1, &p));
    tgr_teacher_router_free(router);
}

static tgr_status create_and_run(const tgr_allocator *allocator, void *user) {
    tgr_context *context = NULL;
    tgr_teacher_router *router = NULL;
    tgr_status status = TGR_OK;
    TGR_TRY_DONE(test_context_create(&context, allocator));
    TGR_TRY_DONE(try_router(&router, context, 3, 4));
    for (int64_t tokens = 1; tokens < 3; tokens++) {
        TGR_TRY_DONE(tgr_teacher_router_forward(router, user, tokens, NULL));
        TGR_TRY_DONE(tgr_teacher_router_backward(router));
    }
done:
    tgr_teacher_router_free(router);
    tgr_context_free(context);
    return status;
}

static void test_allocations_fail(void **unused) {
    (void)unused;
    float features[9] = {1, 2, 3};
    assert_true(test_each_allocation_failing(create_and_run, features) >= 8);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_objective),        cmocka_unit_test(test_edges),
        cmocka_unit_test(test_trains),           cmocka_unit_test(test_misuse),
        cmocka_unit_test(test_allocations_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

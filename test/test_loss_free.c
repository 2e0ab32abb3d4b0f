/* SPDX-License-Identifier: MIT */
/* Loss-free balance on a standalone layer: selected by p + b, weighed by p; the bias moves once for each step, by the
 * loads of all its micro-batches; a skewed stream becomes balanced. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/parameters.h"
#include "support.h"
#include "tgrmoe/measure.h"
#include "tgrmoe/optimizer.h"
#include "tgrmoe/routing.h"

enum { TOKENS = 64, DIM = 6, EXPERTS = 4 };

typedef struct scene {
    tgr_context *context;
    tgr_router *router;
    const tgr_routing *routing;
    tgr_parameters *parameters;
    tgr_optimizer *optimizer;
    float *weight, *bias, *load;
    float x[TOKENS * DIM];
} scene;

static float *tensor(tgr_parameters *parameters, const char *name) {
    float *value;
    int64_t index = tgr_parameters_find(parameters, name);
    assert_status(TGR_OK, tgr_parameters_value(parameters, index, &value));
    return value;
}

/* A learning rate of 0: nothing but the bias moves. */
static scene scene_make(const char *top_k, const char *rate) {
    scene s = {.context = test_context(1, 5)};
    tgr_config *config = test_config(s.context, "method=loss-free experts=4 router_init_std=1 lr=0");
    assert_status(TGR_OK, tgr_config_set(config, "top_k", top_k));
    assert_status(TGR_OK, tgr_config_set(config, "bias_rate", rate));
    assert_status(TGR_OK, tgr_router_create(&s.router, s.context, config, DIM));
    s.routing = tgr_router_routing(s.router);
    s.parameters = tgr_router_parameters(s.router);
    assert_status(TGR_OK, tgr_optimizer_create(&s.optimizer, config, s.parameters));
    s.weight = tensor(s.parameters, "router.weight");
    s.bias = tensor(s.parameters, "router.bias");
    assert_status(TGR_OK,
                  tgr_parameters_gradient(s.parameters, tgr_parameters_find(s.parameters, "router.bias"), &s.load));
    tgr_config_free(config);
    return s;
}

static void scene_free(scene *s) {
    tgr_optimizer_free(s->optimizer);
    tgr_router_free(s->router);
    tgr_context_free(s->context);
}

static void fill(scene *s, uint64_t seed) {
    test_random random = test_random_start(seed);
    test_random_fill(&random, s->x, TOKENS * DIM, -1, 1);
    FOR(t, TOKENS) s->x[t * DIM] += 1; /* one direction is in all tokens: some experts win */
}

static void pass(scene *s, tgr_mode mode, uint64_t seed) {
    float gates_gradient[TOKENS * EXPERTS] = {0};
    fill(s, seed);
    assert_status(TGR_OK, tgr_router_forward(s->router, mode, s->x, TOKENS));
    if (mode == TGR_TRAIN) assert_status(TGR_OK, tgr_router_backward(s->router, gates_gradient, NULL));
}

static void count(const scene *s, int64_t *loads) {
    int64_t tokens, top_k;
    const tgr_routing_view view = test_routing_view(s->routing);
    const int32_t *choices = view.choices;
    tokens = view.tokens;
    top_k = view.top_k;
    FOR(i, tokens * top_k) loads[choices[i]]++;
}

static void test_selects_with_bias_and_weighs_without(void **state) {
    (void)state;
    scene s = scene_make("2", "0.1");
    const float *p, *gates;
    const float bias[EXPERTS] = {-0.4f, 0.3f, 0, 0.1f};
    memcpy(s.bias, bias, sizeof bias);
    pass(&s, TGR_EVAL, 1);
    const tgr_routing_view view = test_routing_view(s.routing);
    p = view.probabilities;
    const int32_t *choices = view.choices;
    gates = view.gates;
    int64_t moved = 0;
    for (int64_t t = 0; t < TOKENS; t++, p += EXPERTS) {
        FOR(k, 2) {
            int64_t chosen = choices[t * 2 + k], before = 0, before_without = 0;
            FOR(e, EXPERTS) {
                before += p[e] + bias[e] > p[chosen] + bias[chosen];
                before_without += p[e] > p[chosen];
            }
            assert_int_equal(before, k);
            moved += before_without != k;
            assert_true(gates[t * 2 + k] == p[chosen]);
        }
    }
    assert_true(moved > 0);
    scene_free(&s);
}

static void test_moves_once_for_each_step(void **state) {
    (void)state;
    const float rate = 0.25f;
    scene s = scene_make("1", "0.25");
    int64_t loads[EXPERTS] = {0};
    float expected[EXPERTS];
    pass(&s, TGR_TRAIN, 1);
    count(&s, loads);
    pass(&s, TGR_TRAIN, 2);
    count(&s, loads);
    FOR(e, EXPERTS) {
        assert_true(s.bias[e] == 0 && s.load[e] == (float)loads[e]);
        expected[e] = rate * (float)((2 * TOKENS > loads[e] * EXPERTS) - (2 * TOKENS < loads[e] * EXPERTS));
    }
    assert_status(TGR_OK, tgr_optimizer_step(s.optimizer));
    assert_true(expected[0] != 0 || expected[1] != 0);

    assert_same_bytes(s.bias, expected, sizeof expected); /* at once, and the loads begin again */
    int64_t evaluated[EXPERTS] = {0}, trained[EXPERTS] = {0};
    FOR(e, EXPERTS) assert_true(s.load[e] == 0);
    pass(&s, TGR_EVAL, 3);
    count(&s, evaluated);
    pass(&s, TGR_TRAIN, 3);
    count(&s, trained);
    assert_same_bytes(evaluated, trained, sizeof trained);
    pass(&s, TGR_TRAIN, 4); /* the same step: the bias stays */
    assert_same_bytes(s.bias, expected, sizeof expected);

    /* Gradients discarded: so are the loads. */
    assert_status(TGR_OK, tgr_parameters_zero_gradients(s.parameters));
    memset(trained, 0, sizeof trained);
    pass(&s, TGR_TRAIN, 5);
    count(&s, trained);
    FOR(e, EXPERTS) assert_true(s.load[e] == (float)trained[e]);

    /* Between a forward and its backward, too. */
    const float gates_gradient[TOKENS] = {0};
    memset(trained, 0, sizeof trained);
    fill(&s, 6);
    assert_status(TGR_OK, tgr_router_forward(s.router, TGR_TRAIN, s.x, TOKENS));
    assert_status(TGR_OK, tgr_parameters_zero_gradients(s.parameters));
    assert_status(TGR_OK, tgr_router_backward(s.router, gates_gradient, NULL));
    count(&s, trained);
    FOR(e, EXPERTS) assert_true(s.load[e] == (float)trained[e]);
    scene_free(&s);
}

/* The loads of two routers, averaged with the gradients by a host, change both biases in the same way. */
static void test_averaged_loads_move_as_one_batch(void **state) {
    (void)state;
    scene ranks[2] = {scene_make("1", "0.25"), scene_make("1", "0.25")}, one = scene_make("1", "0.25");
    for (uint64_t step = 0; step < 4; step++) {
        for (uint64_t i = 0; i < 2; i++) {
            pass(&ranks[i], TGR_TRAIN, 2 * step + i);
            pass(&one, TGR_TRAIN, 2 * step + i);
        }
        float *a = ranks[0].parameters->gradients, *b = ranks[1].parameters->gradients;
        FOR(i, one.parameters->floats) a[i] = b[i] = (a[i] + b[i]) / 2;
        for (int i = 0; i < 2; i++) assert_status(TGR_OK, tgr_optimizer_step(ranks[i].optimizer));
        assert_status(TGR_OK, tgr_optimizer_step(one.optimizer));
        for (int i = 0; i < 2; i++) assert_same_bytes(ranks[i].bias, one.bias, EXPERTS * sizeof(float));
    }
    assert_true(one.bias[0] != 0);
    for (int i = 0; i < 2; i++) scene_free(&ranks[i]);
    scene_free(&one);
}

static void test_perfect_balance_moves_nothing(void **state) {
    (void)state;
    scene s = scene_make("4", "0.25"); /* every token goes to every expert */
    for (int step = 0; step < 3; step++) {
        pass(&s, TGR_TRAIN, (uint64_t)step);
        assert_status(TGR_OK, tgr_optimizer_step(s.optimizer));
    }
    FOR(e, EXPERTS) assert_true(s.bias[e] == 0);
    scene_free(&s);
}

static double load_cv(const scene *s) {
    int64_t loads[EXPERTS] = {0};
    double cv;
    count(s, loads);
    assert_status(TGR_OK, tgr_measure_load_cv(loads, EXPERTS, &cv));
    return cv;
}

static void test_balances_a_skewed_stream(void **state) {
    (void)state;
    scene s = scene_make("1", "0.01");
    pass(&s, TGR_EVAL, 1);
    const double before = load_cv(&s);
    for (int step = 0; step < 200; step++) {
        pass(&s, TGR_TRAIN, (uint64_t)(10 + step));
        assert_status(TGR_OK, tgr_optimizer_step(s.optimizer));
    }
    double after = 0;
    for (int i = 0; i < 8; i++) {
        pass(&s, TGR_EVAL, (uint64_t)(1000 + i));
        after += load_cv(&s) / 8;
    }
    assert_true(before > 0.5);
    assert_true(after < 0.5 * before);
    scene_free(&s);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_selects_with_bias_and_weighs_without),
        cmocka_unit_test(test_moves_once_for_each_step),
        cmocka_unit_test(test_averaged_loads_move_as_one_batch),
        cmocka_unit_test(test_perfect_balance_moves_nothing),
        cmocka_unit_test(test_balances_a_skewed_stream),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: MIT */
/* The numbers of the MoE layer: forward against a naive one in double, every gradient against central differences of
 * that one, which unlike differences of floats are good to eight digits. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "moe_reference.h"
#include "support.h"
#include "tgrmoe/routing.h"

#define SEED 77

/* A layer, a reference with the same values, and what both are fed with. */
typedef struct scenario {
    tgr_context *context;
    tgr_moe *moe;
    tgr_parameters *parameters;
    const tgr_routing *routing;
    reference r;
    float *x, *y, *x_gradient, *y_gradient, *teacher;
} scenario;

static void set(tgr_config *config, const char *key, double value) {
    char text[32];
    snprintf(text, sizeof text, "%.17g", value);
    assert_status(TGR_OK, tgr_config_set(config, key, text));
}

static tgr_config *config_of(const reference *r, tgr_context *context) {
    tgr_config *config = test_config(context, "method=vmoe");
    set(config, "experts", (double)r->experts);
    set(config, "top_k", (double)r->top_k);
    set(config, "mlp_ratio", (double)r->hidden / (double)r->dim);
    set(config, "capacity_factor", r->capacity_factor);
    set(config, "router_noise", r->noise);
    set(config, "batch_prioritized", r->batch_prioritized);
    set(config, "renormalize", r->renormalize);
    set(config, "router_task_gradient", r->task_gradient);
    set(config, "importance_weight", r->importance_weight);
    set(config, "load_weight", r->load_weight);
    set(config, "switch_weight", r->switch_weight);
    set(config, "z_weight", r->z_weight);
    return config;
}

static void fill_teacher(test_random *random, int64_t rows, int64_t columns, float *p) {
    FOR(t, rows) {
        float sum = 0;
        test_random_fill(random, p + t * columns, columns, 0.05, 1);
        FOR(e, columns) sum += p[t * columns + e];
        FOR(e, columns) p[t * columns + e] /= sum;
    }
}

/* Values of the layer and of the reference, the same: x and all tensors, in the order of reference.values. */
static void fill_values(scenario *s, test_random *random) {
    reference *r = &s->r;
    r->values = calloc((size_t)reference_layout(r), sizeof *r->values);
    FOR(i, r->start[6]) r->values[i] = (float)test_random_uniform(random, -1, 1);
    FOR(i, r->start[1]) s->x[i] = (float)r->values[i];
    FOR(tensor, 5) {
        float *value;
        assert_status(TGR_OK, tgr_parameters_value(s->parameters, tensor, &value));
        const double *from = r->values + r->start[tensor + 1];
        FOR(i, r->start[tensor + 2] - r->start[tensor + 1]) value[i] = (float)from[i];
    }
}

static scenario scenario_start(reference sizes, int threads, uint64_t seed) {
    scenario s = {.context = test_context(threads, SEED), .r = sizes};
    reference *r = &s.r;
    test_random random = test_random_start(seed);
    tgr_config *config = config_of(r, s.context);
    assert_status(TGR_OK, tgr_moe_create(&s.moe, s.context, config, r->dim));
    tgr_config_free(config);
    s.parameters = tgr_moe_parameters(s.moe);
    s.routing = tgr_moe_routing(s.moe);
    s.x = test_random_floats(&random, r->tokens * r->dim);
    s.y = test_random_floats(&random, r->tokens * r->dim);
    s.x_gradient = test_random_floats(&random, r->tokens * r->dim);
    s.y_gradient = test_random_floats(&random, r->tokens * r->dim);
    s.teacher = test_random_floats(&random, r->tokens * r->experts);
    fill_teacher(&random, r->tokens, r->experts, s.teacher);
    fill_values(&s, &random);
    r->seed = SEED;
    r->teacher = s.teacher;
    r->y_gradient = s.y_gradient;
    return s;
}

static void scenario_end(scenario *s) {
    free(s->x), free(s->y), free(s->x_gradient), free(s->y_gradient), free(s->teacher), free(s->r.values);
    tgr_moe_free(s->moe);
    tgr_context_free(s->context);
}

static void check_term(const tgr_routing *routing, const char *name, double weight, double expected) {
    int64_t count, found = 0;
    count = tgr_routing_term_count(routing);
    FOR(i, count) {
        const char *term;
        double value;
        assert_status(TGR_OK, tgr_routing_term(routing, i, &term, &value));
        if (strcmp(term, name) != 0) continue;
        found++;
        assert_close(value, expected, 2e-6 * (1 + fabs(expected)));
    }
    assert_int_equal(found, weight > 0);
}

static void check_forward(const scenario *s) {
    const reference *r = &s->r;
    const float *gates, *p, *logits;
    const tgr_routing_view view = test_routing_view(s->routing);
    logits = view.logits;
    p = view.probabilities;
    const int32_t *choices = view.choices;
    gates = view.gates;
    const uint8_t *kept = view.kept;
    FOR(t, r->tokens) {
        FOR(e, r->experts) {
            assert_close(logits[t * r->experts + e], r->logits[t][e], 2e-6);
            assert_close(p[t * r->experts + e], r->p[t][e], 1e-6);
        }
        int computed = 0;
        FOR(k, r->top_k) {
            assert_int_equal(choices[t * r->top_k + k], r->choices[t][k]);
            assert_close(gates[t * r->top_k + k], r->gates[t][k], 2e-6);
            assert_int_equal(kept[t * r->top_k + k], r->kept[t][k]);
            computed += r->kept[t][k];
        }
        FOR(i, r->dim) {
            if (computed)
                assert_close(s->y[t * r->dim + i], r->y[t][i], 1e-5);
            else
                assert_true(s->y[t * r->dim + i] == 0);
        }
    }
    check_term(s->routing, "importance", r->importance_weight, r->importance);
    check_term(s->routing, "load", r->load_weight, r->load);
    check_term(s->routing, "switch", r->switch_weight, r->switch_);
    check_term(s->routing, "z", r->z_weight, r->z);
}

/* Gradient of the library for value `index` of reference.values. */
static double gradient_at(const scenario *s, int64_t index) {
    int64_t part = 0;
    while (index >= s->r.start[part + 1]) part++;
    if (part == 0) return s->x_gradient[index];
    float *gradient;
    assert_status(TGR_OK, tgr_parameters_gradient(s->parameters, part - 1, &gradient));
    return gradient[index - s->r.start[part]];
}

static void check_gradients(scenario *s) {
    const double step = 1e-6;
    reference *r = &s->r;
    reference_freeze(r);
    FOR(i, r->start[6]) {
        double value = r->values[i];
        r->values[i] = value + step;
        double above = reference_run(r);
        r->values[i] = value - step;
        double below = reference_run(r);
        r->values[i] = value;
        double expected = (above - below) / (2 * step);
        assert_close(gradient_at(s, i), expected, 3e-5 + 2e-5 * fabs(expected));
    }
}

static void check_scenario(reference sizes, int threads, uint64_t seed) {
    scenario s = scenario_start(sizes, threads, seed);
    double divergence;
    reference_run(&s.r);
    assert_status(TGR_OK, tgr_moe_forward(s.moe, TGR_TRAIN, s.x, s.r.tokens, s.y));
    check_forward(&s);
    assert_status(TGR_OK, tgr_moe_guide(s.moe, s.teacher, s.r.guide_weight, &divergence));
    assert_close(divergence, s.r.divergence, 1e-6);
    assert_status(TGR_OK, tgr_moe_backward(s.moe, s.y_gradient, s.x_gradient));
    check_gradients(&s);
    scenario_end(&s);
}

#define SIZES .tokens = 14, .dim = 5, .hidden = 7, .experts = 4, .top_k = 2, .batch_prioritized = 1, .task_gradient = 1

static void test_task_alone(void **state) {
    (void)state;
    check_scenario((reference){SIZES}, 1, 1);
    check_scenario((reference){SIZES, .noise = 1}, 2, 2);
}

static void test_task_with_capacity(void **state) {
    (void)state;
    check_scenario((reference){SIZES, .noise = 1, .capacity_factor = 0.6}, 1, 3);
    reference in_order = {SIZES, .noise = 1, .capacity_factor = 0.6};
    in_order.batch_prioritized = 0;
    check_scenario(in_order, 2, 4);
}

static void test_renormalised(void **state) {
    (void)state;
    check_scenario((reference){SIZES, .noise = 1, .renormalize = 1, .capacity_factor = 0.8}, 1, 5);
    reference one = {SIZES, .renormalize = 1};
    one.top_k = 1;
    check_scenario(one, 1, 6);
    one.top_k = 4;
    check_scenario(one, 1, 7);
}

/* One loss at a time, with and without noise, for K = 1, 2 and E. */
static void test_each_loss(void **state) {
    (void)state;
    const int64_t choices[] = {1, 2, 4};
    for (int loss = 0; loss < 5; loss++) {
        for (int i = 0; i < 6; i++) {
            reference r = {SIZES, .noise = i % 2};
            double *weights[] = {&r.importance_weight, &r.load_weight, &r.switch_weight, &r.z_weight, &r.guide_weight};
            r.top_k = choices[i / 2];
            *weights[loss] = 3;
            check_scenario(r, 1 + i % 2, (uint64_t)(100 + 10 * loss + i));
        }
    }
}

static void test_all_losses(void **state) {
    (void)state;
    reference r = {SIZES,
                   .noise = 1,
                   .capacity_factor = 1.05,
                   .importance_weight = 0.5,
                   .load_weight = 0.7,
                   .switch_weight = 0.3,
                   .z_weight = 0.2,
                   .guide_weight = 5};
    check_scenario(r, 2, 8);
    r.experts = 1, r.top_k = 1;
    check_scenario(r, 2, 9);
    r.experts = 8, r.top_k = 3, r.tokens = 1;
    check_scenario(r, 2, 10);
    r.tokens = 40, r.dim = 1, r.hidden = 1;
    check_scenario(r, 1, 11);
}

/* Then only auxiliary losses and guidance reach the router, and x through it. */
static void test_without_task_gradient(void **state) {
    (void)state;
    reference r = {SIZES, .noise = 1, .capacity_factor = 0.9, .importance_weight = 0.5, .guide_weight = 5};
    r.task_gradient = 0;
    check_scenario(r, 1, 12);
    r.importance_weight = r.guide_weight = 0;
    check_scenario(r, 1, 13);
    scenario s = scenario_start(r, 1, 13);
    assert_status(TGR_OK, tgr_moe_forward(s.moe, TGR_TRAIN, s.x, r.tokens, s.y));
    assert_status(TGR_OK, tgr_moe_backward(s.moe, s.y_gradient, NULL));
    for (int64_t i = s.r.start[1]; i < s.r.start[2]; i++) assert_true(gradient_at(&s, i) == 0);
    scenario_end(&s);
}

static void test_random_forwards(void **state) {
    (void)state;
    test_random random = test_random_start(14);
    for (int round = 0; round < 60; round++) {
        reference r = {.tokens = test_random_integer(&random, 1, REFERENCE_TOKENS),
                       .dim = test_random_integer(&random, 1, REFERENCE_DIM),
                       .hidden = test_random_integer(&random, 1, REFERENCE_HIDDEN),
                       .experts = test_random_integer(&random, 1, REFERENCE_EXPERTS),
                       .noise = round % 3,
                       .capacity_factor = round % 4 ? test_random_uniform(&random, 0.1, 1.5) : 0,
                       .batch_prioritized = round % 2,
                       .renormalize = round % 5 == 0,
                       .importance_weight = 1,
                       .load_weight = 1,
                       .switch_weight = 1,
                       .z_weight = 1};
        r.top_k = test_random_integer(&random, 1, r.experts);
        scenario s = scenario_start(r, 1 + round % 2, (uint64_t)(200 + round));
        reference_run(&s.r);
        assert_status(TGR_OK, tgr_moe_forward(s.moe, TGR_TRAIN, s.x, r.tokens, s.y));
        check_forward(&s);
        scenario_end(&s);
    }
}

/* The router alone has the gradients that the whole layer's router has when the gates' gradients are the same: here
 * zero, so that only losses and guidance are left. */
static void test_router_alone(void **state) {
    (void)state;
    reference r = {SIZES, .noise = 1, .importance_weight = 0.5, .load_weight = 0.7, .z_weight = 0.2, .guide_weight = 5};
    scenario s = scenario_start(r, 2, 15);
    tgr_config *config = config_of(&r, s.context);
    tgr_router *router;
    float *weight, *gradient, gates_gradient[14 * 2] = {0};
    assert_status(TGR_OK, tgr_router_create(&router, s.context, config, r.dim));
    tgr_parameters *parameters = tgr_router_parameters(router);
    assert_status(TGR_OK, tgr_parameters_value(parameters, 0, &weight));
    FOR(i, r.experts * r.dim) weight[i] = (float)s.r.values[s.r.start[1] + i];
    assert_status(TGR_OK, tgr_router_forward(router, TGR_TRAIN, s.x, r.tokens));
    s.routing = tgr_router_routing(router);
    assert_status(TGR_OK, tgr_router_guide(router, s.teacher, r.guide_weight, NULL));
    assert_status(TGR_OK, tgr_router_backward(router, gates_gradient, s.x_gradient));
    memset(s.y_gradient, 0, (size_t)(r.tokens * r.dim) * sizeof(float));
    float *router_gradient;
    assert_status(TGR_OK, tgr_parameters_gradient(parameters, 0, &router_gradient));
    assert_status(TGR_OK, tgr_parameters_gradient(s.parameters, 0, &gradient));
    memcpy(gradient, router_gradient, (size_t)(r.experts * r.dim) * sizeof(float));
    check_gradients(&s);
    tgr_router_free(router);
    tgr_config_free(config);
    scenario_end(&s);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_task_alone),      cmocka_unit_test(test_task_with_capacity),
        cmocka_unit_test(test_renormalised),    cmocka_unit_test(test_each_loss),
        cmocka_unit_test(test_all_losses),      cmocka_unit_test(test_without_task_gradient),
        cmocka_unit_test(test_random_forwards), cmocka_unit_test(test_router_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

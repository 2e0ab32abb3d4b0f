/* SPDX-License-Identifier: MIT */
/* Expert Choice: who takes whom against ranking by search, forward and every gradient against the formulas in double,
 * and what is refused. */
#include <stdio.h>

#include "layer_support.h"
#include "routing/handles/standalone.h"
#include "routing/inside.h"
#include "tgrmoe/measure.h"

/* How many tokens are better for the expert than this one; NaN is the worst. */
static int64_t tokens_before(const float *p, int64_t tokens, int64_t experts, int64_t token) {
    int64_t before = 0;
    const float own = isnan(p[token * experts]) ? -1 : p[token * experts];
    FOR(t, tokens) {
        const float other = isnan(p[t * experts]) ? -1 : p[t * experts];
        before += other > own || (other == own && t < token);
    }
    return before;
}

/* Each expert has exactly `capacity` tokens, the best, ascending; each token the right top-1. */
static void check_selection(const tgr_routing *r, int64_t capacity) {
    const int64_t tokens = r->tokens, experts = r->experts;
    uint8_t *taken = calloc((size_t)(tokens * experts), 1);
    FOR(e, experts) {
        int64_t slot = r->slots.first_slot[e];
        assert_int_equal(r->slots.load[e], capacity);
        assert_int_equal(r->slots.first_slot[e + 1] - slot, capacity);
        FOR(t, tokens) {
            if (tokens_before(r->scores.probabilities + e, tokens, experts, t) >= capacity) continue;
            taken[t * experts + e] = 1;
            assert_int_equal(r->slots.token_of_slot[slot], t);
            assert_same_bytes(&r->slots.gate_of_slot[slot], &r->scores.probabilities[t * experts + e], sizeof(float));
            slot++;
        }
        assert_int_equal(slot, r->slots.first_slot[e + 1]);
    }
    FOR(t, tokens) {
        int64_t best = -1, best_taken = -1;
        const float *p = r->scores.probabilities + t * experts;
        FOR(e, experts) {
            if (best < 0 || p[e] > p[best]) best = e;
            if (taken[t * experts + e] && (best_taken < 0 || p[e] > p[best_taken])) best_taken = e;
        }
        assert_int_equal(r->slots.kept[t], best_taken >= 0);
        assert_int_equal(r->choices.experts[t], best_taken >= 0 ? best_taken : best);
        assert_same_bytes(&r->choices.gates[t], &p[r->choices.experts[t]], sizeof(float));
    }
    free(taken);
}

static int64_t capacity_of(int64_t tokens, double factor, int64_t experts) {
    const double capacity = ceil((double)tokens * factor / (double)experts);
    return capacity < (double)tokens ? (int64_t)capacity : tokens;
}

/* Random layers; every fourth token is a copy of another, so that there are ties, and so are some experts; some tokens
 * have NaN. */
static void test_experts_take_their_best(void **state) {
    (void)state;
    test_random random = test_random_start(1);
    for (int round = 0; round < 60; round++) {
        char options[256];
        const int64_t tokens = test_random_integer(&random, 1, 150), experts = test_random_integer(&random, 1, 9);
        const double train = test_random_uniform(&random, 0.01, 3), eval = round % 7 ? train / 2 + 0.3 : 4096;
        snprintf(options, sizeof options,
                 "method=expert-choice experts=%d mlp_ratio=1 capacity_factor=%.17g eval_capacity_factor=%.17g",
                 (int)experts, train, eval);
        test_layer layer = test_layer_start(options, tokens, 0, 5, 1 + round % 2, (uint64_t)round);
        float *router = tgr_value(layer.parameters, 0); /* the last expert scores as the first */
        if (round % 3 == 0) memmove(router + (experts - 1) * 5, router, 5 * sizeof(float));
        FOR(t, tokens) {
            const int64_t from = t % 4 == 3 ? test_random_integer(&random, 0, t - 1) : t;
            memmove(layer.x + t * 5, layer.x + from * 5, 5 * sizeof(float));
            if (round % 5 == 4 && t % 3 == 1) layer.x[t * 5] = NAN;
        }
        assert_status(TGR_OK, tgr_moe_forward(layer.moe, TGR_TRAIN, layer.x, tokens, layer.y));
        check_selection(layer.routing, capacity_of(tokens, train, experts));
        assert_status(TGR_OK, tgr_moe_forward(layer.moe, TGR_EVAL, layer.x, tokens, layer.y));
        check_selection(layer.routing, capacity_of(tokens, eval, experts));
        test_layer_end(&layer);
    }
}

/* All tokens equal: the first C go to all experts, the others to none, and their outputs and gradients are zero. */
static void test_ties_go_to_the_first(void **state) {
    (void)state;
    const char *options = "method=expert-choice experts=6 mlp_ratio=1 capacity_factor=2";
    test_layer layer = test_layer_start(options, 30, 0, 4, 2, 2);
    FOR(i, 30 * 4) layer.x[i] = layer.x[i % 4];
    assert_status(TGR_OK, tgr_moe_forward(layer.moe, TGR_TRAIN, layer.x, 30, layer.y));
    assert_status(TGR_OK, tgr_moe_backward(layer.moe, layer.y_gradient, layer.x_gradient));
    check_selection(layer.routing, 10);
    FOR(i, 30 * 4) {
        assert_int_equal(layer.y[i] != 0, i < 10 * 4);
        assert_int_equal(layer.x_gradient[i] != 0, i < 10 * 4);
    }
    tgr_routing_measures measures = {.struct_size = sizeof measures};
    assert_status(TGR_OK, tgr_measure_routing(layer.routing, &measures));
    assert_close(measures.dropped, 2.0 / 3, 1e-12);
    assert_int_equal(measures.dead, 0);
    test_layer_end(&layer);
}

/* The loss of the layer in double. Selection and, where the task may not change them, gates are those of the last pass
 * of the library: neither moves with the values. */
static double z_weight, guide_weight;
static int task_gradient;
static float *teacher; /* [T, E] */

static double loss_of(test_layer *layer) {
    const int64_t tokens = layer->tokens, experts = layer->experts, dim = layer->dim;
    const double *x = layer->values, *router = test_layer_tensor(layer, "router.weight");
    const tgr_routing *r = layer->routing;
    double loss = 0;
    FOR(t, tokens) {
        double logits[16], y[LAYER_WIDEST], total = 0;
        FOR(e, experts) {
            logits[e] = 0;
            FOR(i, dim) logits[e] += x[t * dim + i] * router[e * dim + i];
            total += exp(logits[e]);
        }
        FOR(e, experts) {
            const double p = exp(logits[e]) / total, share = teacher[t * experts + e];
            loss += guide_weight * share * log(share / p) / (double)tokens;
            for (int64_t slot = r->slots.first_slot[e]; slot < r->slots.first_slot[e + 1]; slot++) {
                if (r->slots.token_of_slot[slot] != t) continue;
                const double gate = task_gradient ? p : r->slots.gate_of_slot[slot];
                test_layer_expert(layer, e, x + t * dim, y);
                FOR(i, dim) loss += gate * y[i] * layer->y_gradient[t * dim + i];
            }
        }
        loss += z_weight * log(total) * log(total) / (double)tokens;
    }
    return loss;
}

static void check_numbers(double factor, int threads, uint64_t seed) {
    enum { TOKENS = 13, EXPERTS = 4, DIM = 5 };
    char options[256];
    float fixed[TOKENS * EXPERTS];
    double task = 0, z = 0, divergence;
    test_random random = test_random_start(seed);
    test_random_fill(&random, fixed, TOKENS * EXPERTS, 0.1, 0.4);
    FOR(t, TOKENS) {
        float sum = fixed[t * EXPERTS] + fixed[t * EXPERTS + 1] + fixed[t * EXPERTS + 2] + fixed[t * EXPERTS + 3];
        FOR(e, EXPERTS) fixed[t * EXPERTS + e] /= sum;
    }
    teacher = fixed;
    snprintf(options, sizeof options,
             "method=expert-choice experts=4 mlp_ratio=1.4 capacity_factor=%g z_weight=%g router_task_gradient=%d",
             factor, z_weight, task_gradient);
    test_layer layer = test_layer_start(options, TOKENS, 0, DIM, threads, seed);
    assert_status(TGR_OK, tgr_moe_forward(layer.moe, TGR_TRAIN, layer.x, TOKENS, layer.y));
    check_selection(layer.routing, capacity_of(TOKENS, factor, EXPERTS));
    FOR(i, TOKENS * DIM) task += (double)layer.y[i] * layer.y_gradient[i];
    int64_t terms = tgr_routing_term_count(layer.routing);
    assert_int_equal(terms, z_weight > 0);
    if (terms > 0) assert_status(TGR_OK, tgr_routing_term(layer.routing, 0, NULL, &z));
    assert_status(TGR_OK, tgr_moe_guide(layer.moe, teacher, guide_weight, &divergence));
    assert_close(task + z + guide_weight * divergence, loss_of(&layer), 1e-5);
    assert_status(TGR_OK, tgr_moe_backward(layer.moe, layer.y_gradient, layer.x_gradient));
    test_layer_check_gradients(&layer, loss_of);
    test_layer_end(&layer);
}

static void test_numbers_are_the_formulas(void **state) {
    (void)state;
    const double factors[] = {0.3, 1, 2.3, 100};
    for (int i = 0; i < 4; i++) {
        task_gradient = 1, z_weight = guide_weight = 0;
        check_numbers(factors[i], 1, (uint64_t)i);
        z_weight = 0.5, guide_weight = 3;
        check_numbers(factors[i], 2, (uint64_t)(10 + i));
        task_gradient = 0;
        check_numbers(factors[i], 1, (uint64_t)(20 + i));
    }
}

static void test_runs_agree(void **state) {
    (void)state;
    test_moe_runs("method=expert-choice experts=6 mlp_ratio=2 capacity_factor=1.3 z_weight=0.1 router_init_std=0.5",
                  500, 24, 5);
    test_moe_runs("method=expert-choice experts=3 mlp_ratio=2 capacity_factor=0.4 eval_capacity_factor=3", 300, 8, 1);
}

/* Options on top of method=expert-choice fail with that text. */
static void check_refused(tgr_status status, const char *text, const char *options) {
    tgr_context *context = test_context(1, 1);
    tgr_moe *moe = NULL;
    tgr_config *config = test_config(context, "method=expert-choice");
    assert_status(TGR_OK, test_config_set_all(config, options));
    assert_fails(status, text, tgr_moe_create(&moe, context, config, 8));
    assert_null(moe);
    tgr_config_free(config);
    tgr_context_free(context);
}

static void test_bad_options_are_refused(void **state) {
    (void)state;
    check_refused(TGR_ERROR_RANGE, "'capacity_factor' is 0", "capacity_factor=0");
    check_refused(TGR_ERROR_RANGE, "'eval_capacity_factor' is 0", "eval_capacity_factor=0");
    check_refused(TGR_ERROR_OPTION, "top_k", "top_k=2");
    check_refused(TGR_ERROR_OPTION, "batch_prioritized", "batch_prioritized=0");
    check_refused(TGR_ERROR_OPTION, "switch_weight", "switch_weight=0.1");
    check_refused(TGR_ERROR_OPTION, "renormalize", "renormalize=1");
    tgr_context *context = test_context(1, 1);
    tgr_router *router = NULL;
    tgr_config *config = test_config(context, "method=expert-choice");
    assert_fails(TGR_ERROR_UNSUPPORTED, "without experts", tgr_router_create(&router, context, config, 8));
    tgr_moe *moe = test_moe(context, "method=expert-choice", 8);
    float x[8] = {0}, y[8];
    const tgr_layer_router *inside = &moe->inside.layer->router;
    assert_fails(TGR_ERROR_OVERFLOW, "'tokens'", tgr_moe_forward(moe, TGR_EVAL, x, INT64_MAX, y));
    assert_int_equal(tgr_layer_router_most_slots(inside, TGR_TRAIN, 17), 24);
    assert_true(tgr_layer_router_most_slots(inside, TGR_TRAIN, INT64_MAX) < 0);
    tgr_moe_free(moe);
    tgr_config_free(config);
    tgr_context_free(context);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_experts_take_their_best),  cmocka_unit_test(test_ties_go_to_the_first),
        cmocka_unit_test(test_numbers_are_the_formulas), cmocka_unit_test(test_runs_agree),
        cmocka_unit_test(test_bad_options_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: MIT */
/* Runs of the MoE layer that must agree with one another: threads, accumulation, batches of many sizes, the router
 * alone; and what must be exactly zero. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "moe_support.h"
#include "routing/handles/standalone.h"
#include "routing/inside.h"
#include "tgrmoe/measure.h"

#define DIM 24

/* Everything that a training pass over T tokens gives. */
typedef struct results {
    float *y, *x_gradient, *gradients;
    int64_t tokens, gradient_count;
} results;

static results train(tgr_moe *moe, int64_t tokens, uint64_t seed) {
    test_random random = test_random_start(seed);
    results r = {.tokens = tokens, .gradient_count = tgr_moe_parameters(moe)->floats};
    float *x = test_random_floats(&random, tokens * DIM), *dy = test_random_floats(&random, tokens * DIM);
    r.y = malloc((size_t)(tokens * DIM) * sizeof(float));
    r.x_gradient = malloc((size_t)(tokens * DIM) * sizeof(float));
    r.gradients = malloc((size_t)r.gradient_count * sizeof(float));
    assert_status(TGR_OK, tgr_moe_forward(moe, TGR_TRAIN, x, tokens, r.y));
    assert_status(TGR_OK, tgr_moe_guide(moe, tgr_moe_routing(moe)->choices.gate_probabilities, 2, NULL));
    assert_status(TGR_OK, tgr_moe_backward(moe, dy, r.x_gradient));
    memcpy(r.gradients, tgr_moe_parameters(moe)->gradients, (size_t)r.gradient_count * sizeof(float));
    free(x), free(dy);
    return r;
}

static void free_results(results *r) {
    free(r->y), free(r->x_gradient), free(r->gradients);
}

static void assert_same_results(const results *a, const results *b) {
    assert_same_bytes(a->y, b->y, (size_t)(a->tokens * DIM) * sizeof(float));
    assert_same_bytes(a->x_gradient, b->x_gradient, (size_t)(a->tokens * DIM) * sizeof(float));
    assert_same_bytes(a->gradients, b->gradients, (size_t)a->gradient_count * sizeof(float));
}

static void test_threads_do_not_matter(void **state) {
    (void)state;
    results first = {0};
    for (int threads = 1; threads <= 3; threads++) {
        tgr_context *context = test_context(threads, 3);
        tgr_moe *moe = test_moe(context, SMALL_MOE "method=vmoe", DIM);
        results r = train(moe, 1003, 1);
        if (threads == 1)
            first = r;
        else {
            assert_same_results(&r, &first);
            free_results(&r);
        }
        tgr_moe_free(moe);
        tgr_context_free(context);
    }
    free_results(&first);
}

/* Gradients of two passes are the sum, and each pass draws its own noise. */
static void test_gradients_accumulate(void **state) {
    (void)state;
    tgr_context *context = test_context(2, 3);
    tgr_moe *moe = test_moe(context, SMALL_MOE "method=tgr", DIM);
    tgr_parameters *parameters = tgr_moe_parameters(moe);
    int64_t micro;
    parameters->micro = 1;
    results second_alone = train(moe, 200, 2);
    assert_status(TGR_OK, tgr_parameters_zero_gradients(parameters));
    results first = train(moe, 200, 1);
    micro = tgr_parameters_micro_count(parameters);
    assert_int_equal(micro, 1);
    results both = train(moe, 200, 2);
    micro = tgr_parameters_micro_count(parameters);
    assert_int_equal(micro, 2);
    assert_same_bytes(both.y, second_alone.y, 200 * DIM * sizeof(float));
    FOR(i, both.gradient_count) first.gradients[i] += second_alone.gradients[i];
    assert_all_close(both.gradients, first.gradients, both.gradient_count, 1e-4, 1e-5);
    assert_status(TGR_OK, tgr_parameters_zero_gradients(parameters));
    results other_noise = train(moe, 200, 2);
    assert_memory_not_equal(other_noise.y, second_alone.y, 200 * DIM * sizeof(float));
    free_results(&first), free_results(&both), free_results(&second_alone), free_results(&other_noise);
    tgr_moe_free(moe);
    tgr_context_free(context);
}

/* Whatever was computed before, and however large the buffers are. */
static void test_batches_of_any_size(void **state) {
    (void)state;
    tgr_context *context = test_context(2, 3);
    tgr_moe *used = test_moe(context, SMALL_MOE "method=vmoe", DIM);
    const int64_t sizes[] = {5, 300, 1, 65, 300, 64};
    uint64_t before = 0, after;
    for (int i = 0; i < 6; i++) {
        tgr_moe *fresh = test_moe(context, SMALL_MOE "method=vmoe", DIM);
        assert_status(TGR_OK, tgr_parameters_zero_gradients(tgr_moe_parameters(used)));
        before = tgr_context_allocation_count(context);
        results a = train(used, sizes[i], (uint64_t)i);
        after = tgr_context_allocation_count(context);
        assert_int_equal(after - before, i < 2);
        results b = train(fresh, sizes[i], (uint64_t)i);
        assert_same_results(&a, &b);
        free_results(&a), free_results(&b);
        tgr_moe_free(fresh);
    }
    tgr_moe_free(used);
    tgr_context_free(context);
}

/* Without a limit on capacity a token's outcome does not depend on the others of its batch. */
static void test_tokens_are_independent(void **state) {
    (void)state;
    tgr_context *context = test_context(2, 3);
    tgr_moe *moe = test_moe(context, SMALL_MOE "method=vmoe", DIM);
    test_random random = test_random_start(8);
    float *x = test_random_floats(&random, 150 * DIM), *y = test_random_floats(&random, 150 * DIM), alone[DIM];
    assert_status(TGR_OK, tgr_moe_forward(moe, TGR_EVAL, x, 150, y));
    for (int64_t t = 0; t < 150; t += 37) {
        assert_status(TGR_OK, tgr_moe_forward(moe, TGR_EVAL, x + t * DIM, 1, alone));
        assert_same_bytes(alone, y + t * DIM, sizeof alone);
    }
    free(x), free(y);
    tgr_moe_free(moe);
    tgr_context_free(context);
}

/* All tokens equal: two experts are chosen, the rest have nothing; all but the first tokens are dropped. */
static void test_dropped_and_idle_are_exactly_zero(void **state) {
    (void)state;
    tgr_context *context = test_context(2, 3);
    tgr_config *config = test_config(context, SMALL_MOE "method=tgr");
    tgr_moe *moe;
    assert_status(TGR_OK, tgr_config_set(config, "router_noise", "0"));
    assert_status(TGR_OK, tgr_config_set(config, "switch_weight", "0"));
    assert_status(TGR_OK, tgr_config_set(config, "z_weight", "0"));
    assert_status(TGR_OK, tgr_moe_create(&moe, context, config, DIM));
    float x[90 * DIM], y[90 * DIM], dx[90 * DIM];
    for (int i = 0; i < 90 * DIM; i++) x[i] = (float)(i % DIM) / DIM;
    memset(dx, 0x5a, sizeof dx);
    assert_status(TGR_OK, tgr_moe_forward(moe, TGR_TRAIN, x, 90, y));
    assert_status(TGR_OK, tgr_moe_backward(moe, x, dx));
    const tgr_routing *routing = tgr_moe_routing(moe);
    FOR(i, 90 * DIM) {
        int kept = i / DIM < 30; /* ceil(90 · 2 · 1 / 6) */
        assert_int_equal(y[i] != 0, kept);
        assert_int_equal(dx[i] != 0, kept);
    }
    for (int64_t tensor = 1; tensor < 5; tensor++) {
        float *gradient;
        int64_t count = tgr_moe_parameters(moe)->tensors[tensor].count / 6;
        assert_status(TGR_OK, tgr_parameters_gradient(tgr_moe_parameters(moe), tensor, &gradient));
        FOR(i, 6 * count) {
            if (routing->slots.load[i / count] == 0) assert_true(gradient[i] == 0 && !signbit(gradient[i]));
        }
    }
    tgr_routing_measures measures = {.struct_size = sizeof measures};
    assert_status(TGR_OK, tgr_measure_routing(routing, &measures));
    assert_int_equal(measures.dead, 4);
    assert_close(measures.dropped, 2.0 / 3, 1e-12);
    tgr_moe_free(moe);
    tgr_config_free(config);
    tgr_context_free(context);
}

/* The router alone does what the router of a layer does; gradients of dropped gates are ignored. */
static void test_router_is_the_layers(void **state) {
    (void)state;
    enum { TOKENS = 120 };
    tgr_context *context = test_context(2, 3);
    tgr_config *config = test_config(context, SMALL_MOE "method=vmoe");
    tgr_moe *moe = test_moe(context, SMALL_MOE "method=vmoe", DIM);
    tgr_router *router;
    const tgr_routing *mine, *layers = tgr_moe_routing(moe);
    float x[TOKENS * DIM], y[TOKENS * DIM], gates_gradient[TOKENS * 2];
    test_random random = test_random_start(9);
    test_random_fill(&random, x, TOKENS * DIM, -1, 1);
    assert_status(TGR_OK, tgr_router_create(&router, context, config, DIM));
    mine = tgr_router_routing(router);
    tgr_parameters *parameters = tgr_router_parameters(router);
    assert_status(TGR_OK, tgr_moe_forward(moe, TGR_TRAIN, x, TOKENS, y));
    assert_status(TGR_OK, tgr_router_forward(router, TGR_TRAIN, x, TOKENS));
    assert_same_bytes(mine->choices.gates, layers->choices.gates, TOKENS * 2 * sizeof(float));
    assert_same_bytes(mine->slots.kept, layers->slots.kept, TOKENS * 2);
    assert_status(TGR_OK, tgr_moe_backward(moe, y, NULL));
    const float *dgates = moe->inside.layer->work.dgates;
    for (int i = 0; i < TOKENS * 2; i++) gates_gradient[i] = layers->slots.kept[i] ? dgates[i] : 1e9f;
    assert_status(TGR_OK, tgr_router_backward(router, gates_gradient, y));
    assert_same_bytes(tgr_gradient(parameters, 0), tgr_gradient(tgr_moe_parameters(moe), 0), 6 * DIM * sizeof(float));
    tgr_router_free(router);
    tgr_moe_free(moe);
    tgr_config_free(config);
    tgr_context_free(context);
}

/* Probabilities from outside choose in evaluation, and neither in training (here without noise) nor once they are taken
 * back. */
static void test_override_chooses_in_evaluation_only(void **state) {
    (void)state;
    enum { TOKENS = 60, EXPERTS = 6 };
    tgr_context *context = test_context(2, 3);
    tgr_moe *moe = test_moe(context, SMALL_MOE "method=switch", DIM);
    float x[TOKENS * DIM], y[TOKENS * DIM], p[TOKENS * EXPERTS] = {0};
    int32_t own[2][TOKENS * 2];
    test_random random = test_random_start(10);
    test_random_fill(&random, x, TOKENS * DIM, -1, 1);
    FOR(t, TOKENS) p[t * EXPERTS + t * 5 % EXPERTS] = 1;
    for (tgr_mode mode = TGR_EVAL; mode <= TGR_TRAIN; mode++) {
        assert_status(TGR_OK, tgr_moe_forward(moe, mode, x, TOKENS, y));
        memcpy(own[mode], tgr_moe_routing(moe)->choices.experts, sizeof own[mode]);
    }
    for (int set = 1; set >= 0; set--) {
        int64_t followed = 0;
        tgr_moe_layer_set_override(moe->inside.layer, set ? p : NULL, set ? TOKENS : 0);
        assert_status(TGR_OK, tgr_moe_forward(moe, TGR_TRAIN, x, TOKENS, y));
        assert_same_bytes(tgr_moe_routing(moe)->choices.experts, own[TGR_TRAIN], sizeof own[TGR_TRAIN]);
        assert_status(TGR_OK, tgr_moe_forward(moe, TGR_EVAL, x, TOKENS, y));
        FOR(t, TOKENS) followed += tgr_moe_routing(moe)->choices.experts[t * 2] == t * 5 % EXPERTS;
        assert_int_equal(followed == TOKENS, set);
    }
    assert_same_bytes(tgr_moe_routing(moe)->choices.experts, own[TGR_EVAL], sizeof own[TGR_EVAL]);
    tgr_moe_free(moe);
    tgr_context_free(context);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_threads_do_not_matter),
        cmocka_unit_test(test_gradients_accumulate),
        cmocka_unit_test(test_batches_of_any_size),
        cmocka_unit_test(test_tokens_are_independent),
        cmocka_unit_test(test_dropped_and_idle_are_exactly_zero),
        cmocka_unit_test(test_router_is_the_layers),
        cmocka_unit_test(test_override_chooses_in_evaluation_only),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

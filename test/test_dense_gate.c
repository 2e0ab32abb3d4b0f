/* SPDX-License-Identifier: MIT */
/* Dense training with sparse inference, and EvoMoE's gate that goes from the one to the other. */
#include "moe_gradients.h"
#include "tgrmoe/optimizer.h"

enum { TOKENS = 21, DIM = 8, EXPERTS = 5 };

#define DENSE_TRAIN "method=dense-train experts=5 mlp_ratio=2 top_k=2 "
#define EVOMOE      "method=evomoe experts=5 mlp_ratio=2 top_k=2 total_steps=10 "

/* What must hold of every pass: who is above the threshold is computed, with gates that are q or shares of it. */
static void check_pass(const test_layer *layer, double temperature, double threshold, int renormalize) {
    const tgr_routing *r = layer->routing;
    int64_t slot = 0, count = layer->tokens * EXPERTS;
    int8_t *taken = calloc((size_t)count, 1);
    double *q = calloc((size_t)count, sizeof *q);
    FOR(t, layer->tokens) {
        double sum = 0;
        FOR(e, EXPERTS) sum += exp((double)r->scores.logits[t * EXPERTS + e] / temperature);
        FOR(e, EXPERTS) {
            int64_t better = 0;
            q[t * EXPERTS + e] = exp((double)r->scores.logits[t * EXPERTS + e] / temperature) / sum;
            FOR(j, EXPERTS) better += r->scores.logits[t * EXPERTS + j] > r->scores.logits[t * EXPERTS + e];
            if (better < 2) assert_int_equal(r->choices.experts[t * 2 + better], e);
            taken[t * EXPERTS + e] = better < 2 || q[t * EXPERTS + e] > threshold;
        }
    }
    FOR(e, EXPERTS) {
        assert_int_equal(r->slots.first_slot[e], slot);
        FOR(t, layer->tokens) {
            double total = 0;
            if (!taken[t * EXPERTS + e]) continue;
            FOR(j, EXPERTS) total += taken[t * EXPERTS + j] ? q[t * EXPERTS + j] : 0;
            assert_int_equal(r->slots.token_of_slot[slot], t);
            assert_close(r->slots.gate_of_slot[slot], q[t * EXPERTS + e] / (renormalize ? total : 1), 1e-6);
            FOR(k, 2)
                if (r->choices.experts[t * 2 + k] == e)
                    assert_true(r->choices.gates[t * 2 + k] == r->slots.gate_of_slot[slot]);
            slot++;
        }
        assert_int_equal(r->slots.load[e], slot - r->slots.first_slot[e]);
    }
    assert_int_equal(r->slots.count, slot);
    FOR(i, layer->tokens * 2) assert_int_equal(r->slots.kept[i], 1);
    free(taken);
    free(q);
}

static void forward(test_layer *layer, tgr_mode mode) {
    assert_status(TGR_OK, tgr_moe_forward(layer->moe, mode, layer->x, layer->tokens, layer->y));
}

static void test_dense_training_is_sparse_in_evaluation(void **state) {
    (void)state;
    for (int renormalize = 0; renormalize < 2; renormalize++) {
        test_layer layer = test_layer_start(2, renormalize ? DENSE_TRAIN "renormalize=1" : DENSE_TRAIN, TOKENS, DIM);
        forward(&layer, TGR_TRAIN);
        assert_int_equal(layer.routing->slots.count, TOKENS * EXPERTS);
        check_pass(&layer, 1, -1, renormalize);
        forward(&layer, TGR_EVAL);
        assert_int_equal(layer.routing->slots.count, TOKENS * 2);
        check_pass(&layer, 1, 2, renormalize);
        test_layer_end(&layer);
    }
}

/* In evaluation the layer is V-MoE's; with K = E training and evaluation agree. */
static void test_evaluation_equals_token_choice(void **state) {
    (void)state;
    test_layer dense = test_layer_start(1, DENSE_TRAIN, TOKENS, DIM);
    test_layer vmoe = test_layer_start(1, "method=vmoe experts=5 mlp_ratio=2 top_k=2", TOKENS, DIM);
    forward(&dense, TGR_EVAL);
    forward(&vmoe, TGR_EVAL);
    assert_all_close(dense.y, vmoe.y, TOKENS * DIM, 1e-6, 1e-6);
    test_layer_end(&vmoe);
    test_layer_end(&dense);
    dense = test_layer_start(1, "method=dense-train experts=5 mlp_ratio=2 top_k=5", TOKENS, DIM);
    forward(&dense, TGR_TRAIN);
    float *trained = malloc(TOKENS * DIM * sizeof(float));
    memcpy(trained, dense.y, TOKENS * DIM * sizeof(float));
    forward(&dense, TGR_EVAL);
    assert_same_bytes(dense.y, trained, TOKENS * DIM * sizeof(float));
    free(trained);
    test_layer_end(&dense);
}

/* -H(mean p) + mean H(p): 0 when all tokens are the same, -ln E when each is certain and all experts have as many. */
static void test_mutual_information_at_its_ends(void **state) {
    (void)state;
    test_layer layer = test_layer_start(1, "method=dense-train experts=5 mi_weight=2", 20, EXPERTS);
    float *router = tgr_value(layer.parameters, 0);
    const struct {
        float certainty;
        int64_t apart; /* the expert of token t is t % apart */
        double expected;
    } cases[] = {
        {0, 1, 0}, {1, 1, 0}, {200, 1, 0}, {200, 5, -2 * log(5)}, {200, 2, -2 * log(2)}, {1e30f, 5, -2 * log(5)}};
    memset(router, 0, EXPERTS * EXPERTS * sizeof *router);
    FOR(e, EXPERTS) router[e * EXPERTS + e] = 1;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        memset(layer.x, 0, 20 * EXPERTS * sizeof *layer.x);
        FOR(t, 20) layer.x[t * EXPERTS + t % cases[i].apart] = cases[i].certainty;
        forward(&layer, TGR_TRAIN);
        assert_int_equal(layer.routing->slots.count, 20 * EXPERTS); /* all of them, even for a p of 0 */
        assert_int_equal(layer.routing->losses.term_count, 1);
        assert_string_equal(layer.routing->losses.terms[0].name, "mi");
        assert_close(layer.routing->losses.terms[0].value, cases[i].expected, 1e-5);
        FOR(j, 20 * EXPERTS) assert_true(isfinite(layer.routing->losses.dlogits[j]));
    }
    test_layer_end(&layer);
}

static void test_the_temperature_falls_with_the_step(void **state) {
    (void)state;
    /* Of 10 steps the first ceil(0.45 · 10) = 5 are dense: τ = 3, 2.5, 2, 1.5, 1, then 0.5. */
    test_layer layer = test_layer_start(
        2, EVOMOE "evo_temperature_start=3 evo_temperature_end=0.5 evo_dense_share=0.45 evo_threshold=0.1", TOKENS,
        DIM);
    int64_t slots = TOKENS * EXPERTS + 1;
    float *sparse = malloc(TOKENS * DIM * sizeof(float));
    for (uint64_t step = 0; step <= 11; step++) {
        double expected = step < 5 ? 3 - 0.5 * (double)step : 0.5;
        layer.parameters->step = step;
        forward(&layer, TGR_TRAIN);
        check_pass(&layer, expected, step < 5 ? 0.1 : 2, 0);
        assert_true(layer.routing->slots.count < slots || step >= 6);
        slots = layer.routing->slots.count;
        if (step >= 5) assert_int_equal(slots, TOKENS * 2);
        forward(&layer, TGR_EVAL); /* as the finished model, at any step */
        check_pass(&layer, 0.5, 2, 0);
        if (step == 0) memcpy(sparse, layer.y, TOKENS * DIM * sizeof(float));
        assert_same_bytes(layer.y, sparse, TOKENS * DIM * sizeof(float));
    }
    free(sparse);
    test_layer_end(&layer);
}

static void test_losses_read_the_plain_softmax(void **state) {
    (void)state;
    test_layer evomoe = test_layer_start(1, EVOMOE "z_weight=0.3 importance_weight=0.2", TOKENS, DIM);
    test_layer dense = test_layer_start(1, DENSE_TRAIN "z_weight=0.3 importance_weight=0.2 mi_weight=0", TOKENS, DIM);
    forward(&evomoe, TGR_TRAIN);
    forward(&dense, TGR_TRAIN);
    assert_int_equal(evomoe.routing->losses.term_count, 2);
    assert_int_equal(dense.routing->losses.term_count, 2);
    for (int i = 0; i < 2; i++)
        assert_close(evomoe.routing->losses.terms[i].value, dense.routing->losses.terms[i].value, 1e-9);
    test_layer_end(&evomoe);
    test_layer_end(&dense);
}

static void check_gradients(const char *options, uint64_t step) {
    print_message("%s at step %d\n", options, (int)step);
    test_layer layer = test_layer_start(2, options, 9, DIM);
    layer.parameters->step = step;
    test_layer_check_gradients(&layer);
    test_layer_end(&layer);
}

static void test_gradients_equal_differences(void **state) {
    (void)state;
    check_gradients(DENSE_TRAIN, 0);
    check_gradients(DENSE_TRAIN "renormalize=1 mi_weight=3", 0);
    check_gradients("method=dense-train experts=5 mi_weight=2 z_weight=0.1 importance_weight=0.5 mlp_ratio=1", 0);
    check_gradients(EVOMOE, 0);
    check_gradients(EVOMOE "evo_threshold=0.15", 3);
    check_gradients(EVOMOE "evo_threshold=0.15 renormalize=1 switch_weight=0.2 z_weight=0.1", 2);
    check_gradients(EVOMOE "renormalize=1", 8);
    check_gradients("method=evomoe experts=3 mlp_ratio=1 evo_dense_share=0 evo_temperature_end=0.7", 0);
}

/* Without the task's gradient the router learns from losses alone: here, from none. */
static void test_the_task_can_be_kept_from_the_router(void **state) {
    (void)state;
    const char *const options[] = {DENSE_TRAIN "router_task_gradient=0 mi_weight=0", EVOMOE "router_task_gradient=0"};
    for (int i = 0; i < 2; i++) {
        test_layer layer = test_layer_start(1, options[i], TOKENS, DIM);
        test_layer_loss(&layer);
        assert_status(TGR_OK, tgr_moe_backward(layer.moe, layer.weights, layer.x_gradient));
        FOR(j, EXPERTS * DIM) assert_true(tgr_gradient(layer.parameters, 0)[j] == 0);
        test_layer_end(&layer);
    }
}

static void test_threads_do_not_matter(void **state) {
    (void)state;
    test_layer_check_threads(DENSE_TRAIN "mi_weight=1", 301, 12);
    test_layer_check_threads(EVOMOE "evo_threshold=0.2 renormalize=1", 301, 12);
}

/* Logits that are no numbers must not lead out of the buffers. */
static void test_senseless_logits_are_safe(void **state) {
    (void)state;
    const float awkward[] = {NAN, INFINITY, -INFINITY, 1e38f, 0};
    const char *const options[] = {DENSE_TRAIN "renormalize=1 mi_weight=1", EVOMOE "renormalize=1"};
    for (int i = 0; i < 2; i++) {
        test_layer layer = test_layer_start(1, options[i], TOKENS, DIM);
        FOR(j, TOKENS * DIM) layer.x[j] = awkward[j * 7 / 3 % 5];
        assert_status(TGR_OK, tgr_moe_forward(layer.moe, TGR_TRAIN, layer.x, TOKENS, layer.y));
        assert_status(TGR_OK, tgr_moe_backward(layer.moe, layer.weights, layer.x_gradient));
        assert_true(layer.routing->slots.count >= TOKENS * 2 && layer.routing->slots.count <= TOKENS * EXPERTS);
        test_layer_end(&layer);
    }
}

static void test_misfits_are_refused(void **state) {
    (void)state;
    tgr_context *context = test_context(1, 3);
    tgr_moe *moe = NULL;
    tgr_router *router = NULL;
    tgr_config *config;
    assert_fails(TGR_ERROR_RANGE, "'total_steps'", test_moe_create(&moe, context, "method=evomoe", 8));
    assert_fails(TGR_ERROR_RANGE, "at least 'evo_temperature_end', 0.3",
                 test_moe_create(&moe, context, EVOMOE "evo_temperature_start=0.2", 8));
    assert_fails(TGR_ERROR_RANGE, "evo_threshold", test_moe_create(&moe, context, EVOMOE "evo_threshold=1.5", 8));
    assert_fails(TGR_ERROR_OPTION, "'mi_weight'", test_moe_create(&moe, context, EVOMOE "mi_weight=1", 8));
    assert_fails(TGR_ERROR_OPTION, "'evo_threshold'", test_moe_create(&moe, context, DENSE_TRAIN "evo_threshold=0", 8));
    assert_fails(TGR_ERROR_OPTION, "'router_noise'", test_moe_create(&moe, context, DENSE_TRAIN "router_noise=1", 8));
    assert_null(moe);
    const char *const methods[] = {"dense-train", "evomoe"};
    for (int i = 0; i < 2; i++) {
        config = test_config(context, "");
        assert_status(TGR_OK, tgr_config_set(config, "method", methods[i]));
        assert_fails(TGR_ERROR_UNSUPPORTED, methods[i], tgr_router_create(&router, context, config, 8));
        tgr_config_free(config);
    }
    tgr_context_free(context);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_dense_training_is_sparse_in_evaluation),
        cmocka_unit_test(test_evaluation_equals_token_choice),
        cmocka_unit_test(test_mutual_information_at_its_ends),
        cmocka_unit_test(test_the_temperature_falls_with_the_step),
        cmocka_unit_test(test_losses_read_the_plain_softmax),
        cmocka_unit_test(test_gradients_equal_differences),
        cmocka_unit_test(test_the_task_can_be_kept_from_the_router),
        cmocka_unit_test(test_threads_do_not_matter),
        cmocka_unit_test(test_senseless_logits_are_safe),
        cmocka_unit_test(test_misfits_are_refused),
    };
    return cmocka_run_group_tests_name("dense gate", tests, NULL, NULL);
}

/* SPDX-License-Identifier: MIT */
/* The standalone router and MoE layer as a host sees them: wrong calls, what the getters lend, memory that fails. */
#include <math.h>

#include "moe_support.h"
#include "routing/handles/standalone.h"
#include "routing/inside.h"
#include "tgrmoe/measure.h"

#define DIM 24

/* Every option that has no sense together, every pointer missing, calls out of order. */
static void test_wrong_creations(void **state) {
    (void)state;
    tgr_context *context = test_context(1, 3);
    tgr_config *config = test_config(context, SMALL_MOE "method=vmoe");
    tgr_moe *moe = NULL;
    tgr_router *router = NULL;
    assert_fails(TGR_ERROR_ARGUMENT, "'out'", tgr_moe_create(NULL, context, config, DIM));
    assert_fails(TGR_ERROR_ARGUMENT, "'context'", tgr_moe_create(&moe, NULL, config, DIM));
    assert_fails(TGR_ERROR_ARGUMENT, "'config'", tgr_moe_create(&moe, context, NULL, DIM));
    assert_fails(TGR_ERROR_ARGUMENT, "'out'", tgr_router_create(NULL, context, config, DIM));
    assert_fails(TGR_ERROR_ARGUMENT, "'context'", tgr_router_create(&router, NULL, config, DIM));
    assert_fails(TGR_ERROR_ARGUMENT, "'config'", tgr_router_create(&router, context, NULL, DIM));
    const int64_t wrong[] = {0, -1, 65537, INT64_MAX, INT64_MIN};
    for (int i = 0; i < 5; i++) {
        assert_fails(TGR_ERROR_RANGE, "'dim'", tgr_moe_create(&moe, context, config, wrong[i]));
        assert_fails(TGR_ERROR_RANGE, "'dim'", tgr_router_create(&router, context, config, wrong[i]));
    }
    assert_status(TGR_OK, tgr_config_set(config, "top_k", "7"));
    assert_fails(TGR_ERROR_RANGE, "'top_k' is 7; it must be at most 'experts', 6",
                 tgr_moe_create(&moe, context, config, DIM));
    assert_status(TGR_OK, tgr_config_set(config, "top_k", "1"));
    assert_status(TGR_OK, tgr_config_set(config, "method", "dense"));
    assert_fails(TGR_ERROR_RANGE, "dense", tgr_moe_create(&moe, context, config, DIM));
    assert_fails(TGR_ERROR_RANGE, "dense", tgr_router_create(&router, context, config, DIM));
    assert_null(moe);
    assert_null(router);
    tgr_moe_free(NULL);
    tgr_router_free(NULL);
    tgr_config_free(config);
    tgr_context_free(context);
}

static void test_wrong_calls(void **state) {
    (void)state;
    tgr_context *context = test_context(1, 3);
    tgr_moe *moe = test_moe(context, SMALL_MOE "method=vmoe", DIM);
    const tgr_routing *routing = tgr_moe_routing(moe);
    float x[4 * DIM] = {0}, y[4 * DIM], teacher[4 * 6] = {0};
    assert_fails(TGR_ERROR_ARGUMENT, "'moe'", tgr_moe_forward(NULL, TGR_EVAL, x, 4, y));
    assert_fails(TGR_ERROR_ARGUMENT, "'x'", tgr_moe_forward(moe, TGR_EVAL, NULL, 4, y));
    assert_fails(TGR_ERROR_ARGUMENT, "'y'", tgr_moe_forward(moe, TGR_EVAL, x, 4, NULL));
    assert_fails(TGR_ERROR_RANGE, "'mode'", tgr_moe_forward(moe, (tgr_mode)2, x, 4, y));
    assert_fails(TGR_ERROR_RANGE, "'tokens'", tgr_moe_forward(moe, TGR_EVAL, x, 0, y));
    assert_fails(TGR_ERROR_RANGE, "'tokens'", tgr_moe_forward(moe, TGR_EVAL, x, -1, y));
    assert_fails(TGR_ERROR_OVERFLOW, "'tokens'", tgr_moe_forward(moe, TGR_EVAL, x, INT64_MAX, y));
    assert_fails(TGR_ERROR_ARGUMENT, "overlap", tgr_moe_forward(moe, TGR_EVAL, x, 4, x));
    assert_fails(TGR_ERROR_ARGUMENT, "overlap", tgr_moe_forward(moe, TGR_EVAL, x, 3, x + DIM));
    assert_fails(TGR_ERROR_STATE, "TGR_TRAIN", tgr_moe_backward(moe, y, x));
    assert_fails(TGR_ERROR_STATE, "TGR_TRAIN", tgr_moe_guide(moe, teacher, 1, NULL));
    assert_int_equal(routing->tokens, 0);
    assert_status(TGR_OK, tgr_moe_forward(moe, TGR_EVAL, x, 4, y));
    assert_fails(TGR_ERROR_STATE, "TGR_TRAIN", tgr_moe_backward(moe, y, x));
    assert_status(TGR_OK, tgr_moe_forward(moe, TGR_TRAIN, x, 4, y));
    assert_fails(TGR_ERROR_ARGUMENT, "'moe'", tgr_moe_guide(NULL, teacher, 1, NULL));
    assert_fails(TGR_ERROR_ARGUMENT, "'teacher'", tgr_moe_guide(moe, NULL, 1, NULL));
    assert_fails(TGR_ERROR_RANGE, "'weight'", tgr_moe_guide(moe, teacher, -1, NULL));
    assert_fails(TGR_ERROR_RANGE, "'weight'", tgr_moe_guide(moe, teacher, NAN, NULL));
    assert_fails(TGR_ERROR_ARGUMENT, "'moe'", tgr_moe_backward(NULL, y, x));
    assert_fails(TGR_ERROR_ARGUMENT, "'y_gradient'", tgr_moe_backward(moe, NULL, x));
    assert_status(TGR_OK, tgr_moe_backward(moe, y, NULL));
    assert_fails(TGR_ERROR_STATE, "before each backward", tgr_moe_backward(moe, y, NULL));
    assert_null(tgr_moe_routing(NULL));
    assert_null(tgr_moe_parameters(NULL));
    tgr_moe_free(moe);
    tgr_context_free(context);
}

static void test_wrong_router_calls(void **state) {
    (void)state;
    tgr_context *context = test_context(1, 3);
    tgr_config *config = test_config(context, SMALL_MOE "method=vmoe");
    tgr_router *router;
    float x[4 * DIM] = {0}, gates[4 * 2] = {0};
    assert_status(TGR_OK, tgr_router_create(&router, context, config, DIM));
    tgr_config_free(config);
    tgr_context_free(context); /* the router keeps it */
    assert_fails(TGR_ERROR_ARGUMENT, "'router'", tgr_router_forward(NULL, TGR_EVAL, x, 4));
    assert_fails(TGR_ERROR_ARGUMENT, "'x'", tgr_router_forward(router, TGR_EVAL, NULL, 4));
    assert_fails(TGR_ERROR_RANGE, "'mode'", tgr_router_forward(router, (tgr_mode)-1, x, 4));
    assert_fails(TGR_ERROR_RANGE, "'tokens'", tgr_router_forward(router, TGR_EVAL, x, 0));
    assert_fails(TGR_ERROR_OVERFLOW, "'tokens'", tgr_router_forward(router, TGR_EVAL, x, INT64_C(1) << 40));
    assert_fails(TGR_ERROR_STATE, "TGR_TRAIN", tgr_router_backward(router, gates, x));
    assert_fails(TGR_ERROR_STATE, "TGR_TRAIN", tgr_router_guide(router, gates, 1, NULL));
    assert_fails(TGR_ERROR_ARGUMENT, "'router'", tgr_router_guide(NULL, gates, 1, NULL));
    assert_fails(TGR_ERROR_ARGUMENT, "'router'", tgr_router_backward(NULL, gates, x));
    assert_fails(TGR_ERROR_ARGUMENT, "'gates_gradient'", tgr_router_backward(router, NULL, x));
    assert_null(tgr_router_routing(NULL));
    assert_null(tgr_router_parameters(NULL));
    assert_status(TGR_OK, tgr_router_forward(router, TGR_TRAIN, x, 4));
    assert_status(TGR_OK, tgr_router_backward(router, gates, NULL));
    tgr_router_free(router);
}

static void test_getters(void **state) {
    (void)state;
    tgr_context *context = test_context(1, 3);
    tgr_moe *moe = test_moe(context, SMALL_MOE "method=vmoe", DIM);
    const tgr_routing *routing = tgr_moe_routing(moe);
    const char *name;
    float x[9 * DIM] = {0}, y[9 * DIM];
    tgr_routing_measures measures = {.struct_size = sizeof measures};
    tgr_routing_view view = test_routing_view(routing);
    assert_true(view.tokens == 0 && view.experts == 6 && view.top_k == 2);
    assert_true(view.logits == NULL && view.probabilities == NULL && view.choices == NULL);
    assert_true(view.gates == NULL && view.kept == NULL && view.load == NULL);
    assert_fails(TGR_ERROR_STATE, "forward", tgr_measure_routing(routing, &measures));
    assert_status(TGR_OK, tgr_moe_forward(moe, TGR_EVAL, x, 9, y));
    assert_int_equal(test_routing_view(routing).tokens, 9);
    assert_fails(TGR_ERROR_ARGUMENT, "'routing'", tgr_routing_read(NULL, &view));
    assert_fails(TGR_ERROR_ARGUMENT, "'view'", tgr_routing_read(routing, NULL));
    assert_int_equal(tgr_routing_term_count(NULL), 0);
    assert_fails(TGR_ERROR_ARGUMENT, "'routing'", tgr_routing_term(NULL, 0, &name, NULL));
    assert_fails(TGR_ERROR_ARGUMENT, "'routing'", tgr_measure_routing(NULL, &measures));
    assert_status(TGR_OK, tgr_moe_forward(moe, TGR_EVAL, x, 9, y));
    assert_int_equal(tgr_routing_term_count(routing), 4); /* in evaluation, too; of the last batch alone */
    assert_fails(TGR_ERROR_RANGE, "4 terms", tgr_routing_term(routing, 4, &name, NULL));
    assert_fails(TGR_ERROR_RANGE, "-1", tgr_routing_term(routing, -1, &name, NULL));
    assert_status(TGR_OK, tgr_routing_term(routing, 3, &name, NULL));
    assert_string_equal(name, "z");
    tgr_moe_free(moe);
    tgr_context_free(context);
}

/* To V-MoE it does not matter where a token stands: only the size of a batch is checked. */
static void test_sequences(void **state) {
    (void)state;
    tgr_context *context = test_context(1, 3);
    tgr_moe *moe = test_moe(context, SMALL_MOE "method=vmoe", DIM);
    tgr_router *router = NULL;
    tgr_config *config = test_config(context, SMALL_MOE "method=vmoe");
    test_random random = test_random_start(1);
    float x[6 * DIM], whole[6 * DIM], parts[6 * DIM];
    test_random_fill(&random, x, 6 * DIM, -1, 1);
    assert_status(TGR_OK, tgr_moe_forward(moe, TGR_EVAL, x, 6, whole));
    assert_int_equal(moe->inside.layer->pass.sequence, 6);
    assert_status(TGR_OK, tgr_moe_set_sequence(moe, 3));
    assert_fails(TGR_ERROR_SHAPE, "'tokens' is 5", tgr_moe_forward(moe, TGR_EVAL, x, 5, parts));
    assert_int_equal(tgr_moe_routing(moe)->tokens, 6);
    assert_status(TGR_OK, tgr_moe_forward(moe, TGR_EVAL, x, 6, parts));
    assert_int_equal(moe->inside.layer->pass.sequence, 3);
    assert_same_bytes(parts, whole, sizeof whole);
    assert_status(TGR_OK, tgr_moe_set_sequence(moe, 0));
    assert_status(TGR_OK, tgr_moe_forward(moe, TGR_EVAL, x, 5, parts));
    assert_int_equal(moe->inside.layer->pass.sequence, 5);
    assert_fails(TGR_ERROR_RANGE, "'tokens_per_sequence' is -1", tgr_moe_set_sequence(moe, -1));
    assert_fails(TGR_ERROR_ARGUMENT, "'moe'", tgr_moe_set_sequence(NULL, 1));
    assert_fails(TGR_ERROR_ARGUMENT, "'router'", tgr_router_set_sequence(NULL, 1));
    assert_status(TGR_OK, tgr_router_create(&router, context, config, DIM));
    assert_status(TGR_OK, tgr_router_set_sequence(router, 4));
    assert_fails(TGR_ERROR_SHAPE, "'tokens' is 6", tgr_router_forward(router, TGR_EVAL, x, 6));
    tgr_router_free(router);
    tgr_config_free(config);
    tgr_moe_free(moe);
    tgr_context_free(context);
}

/* What the method does not use is refused when the layer is made; what no layer uses is not asked about. */
static void test_unused_options(void **state) {
    (void)state;
    tgr_context *context = test_context(1, 3);
    tgr_config *config = test_config(context, SMALL_MOE "method=vmoe");
    tgr_moe *moe = NULL;
    tgr_router *router = NULL;
    assert_status(TGR_OK, tgr_config_set(config, "image_size", "64"));
    assert_status(TGR_OK, tgr_config_set(config, "stable_width", "50"));
    assert_fails(TGR_ERROR_OPTION, "'stable_width' is set, but method 'vmoe' does not use it; these do: stable",
                 tgr_moe_create(&moe, context, config, DIM));
    assert_fails(TGR_ERROR_OPTION, "'stable_width'", tgr_router_create(&router, context, config, DIM));
    tgr_config_free(config);
    tgr_context_free(context);
}

static tgr_status use_all(const tgr_allocator *allocator, void *user) {
    tgr_context *context = NULL;
    tgr_config *config = NULL;
    tgr_moe *moe = NULL;
    tgr_router *router = NULL;
    float x[40 * DIM] = {0}, y[40 * DIM];
    (void)user;
    tgr_status status = TGR_OK;
    TGR_TRY_DONE(test_context_create(&context, allocator));
    TGR_TRY_DONE(tgr_config_create(&config, context));
    TGR_TRY_DONE(tgr_config_set(config, "method", "vmoe"));
    TGR_TRY_DONE(tgr_config_set(config, "router_noise", "0"));
    TGR_TRY_DONE(tgr_moe_create(&moe, context, config, DIM));
    TGR_TRY_DONE(tgr_router_create(&router, context, config, DIM));
    TGR_TRY_DONE(tgr_moe_forward(moe, TGR_TRAIN, x, 5, y));
    const tgr_routing *routing = tgr_moe_routing(moe);
    status = tgr_moe_forward(moe, TGR_EVAL, x, 40, y);
    if (status != TGR_OK) { /* nothing has happened to the batch before */
        assert_int_equal(routing->tokens, 5);
        assert_int_equal(routing->slots.load[0], 5);
        assert_status(TGR_OK, tgr_moe_backward(moe, x, y));
    }
    TGR_TRY_DONE(status);
    TGR_TRY_DONE(tgr_router_forward(router, TGR_TRAIN, x, 40));
done:
    tgr_config_free(config);
    tgr_context_free(context);
    tgr_router_free(router);
    tgr_moe_free(moe);
    return status;
}

static void test_every_allocation_may_fail(void **state) {
    (void)state;
    assert_true(test_each_allocation_failing(use_all, NULL) > 10);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_wrong_creations),
        cmocka_unit_test(test_wrong_calls),
        cmocka_unit_test(test_wrong_router_calls),
        cmocka_unit_test(test_getters),
        cmocka_unit_test(test_sequences),
        cmocka_unit_test(test_unused_options),
        cmocka_unit_test(test_every_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

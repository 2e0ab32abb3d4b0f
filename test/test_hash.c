/* SPDX-License-Identifier: MIT */
/* Hash layers: a balanced table of positions, drawn from the seed, that nothing moves. */
#include "model_support.h"
#include "tgrmoe/loss.h"
#include "tgrmoe/optimizer.h"
#include "tgrmoe/routing.h"

enum { TOKENS = 17, EXPERTS = 5, BATCH = 3 };

#define MODEL                                                                                            \
    "image_size=16 patch_size=4 channels=1 classes=4 embed_dim=8 depth=2 heads=2 method=hash experts=5 " \
    "moe_blocks=1,2 "

static const float *table_of(tgr_model *model, int block) {
    float *table;
    int64_t index = tgr_parameters_find(test_model_parameters(model),
                                        block == 0 ? "blocks.0.moe.router.hash" : "blocks.1.moe.router.hash");
    assert_status(TGR_OK, tgr_parameters_value(test_model_parameters(model), index, &table));
    return table;
}

static void test_the_table_is_balanced_and_of_the_seed(void **state) {
    (void)state;
    float first[TOKENS];
    for (uint64_t seed = 1; seed <= 20; seed++) {
        tgr_context *context = test_context(1, seed);
        tgr_model *model = test_model(context, MODEL), *again = test_model(context, MODEL);
        const float *table = table_of(model, 0);
        int64_t count[EXPERTS] = {0};
        FOR(i, TOKENS) {
            assert_true(table[i] >= 0 && table[i] < EXPERTS);
            count[(int64_t)table[i]]++;
        }
        FOR(e, EXPERTS) assert_in_range(count[e], TOKENS / EXPERTS, TOKENS / EXPERTS + 1);
        assert_same_bytes(table_of(again, 0), table, sizeof first);
        assert_memory_not_equal(table_of(model, 1), table, sizeof first); /* each layer has its own */
        if (seed > 1) assert_memory_not_equal(table, first, sizeof first);
        memcpy(first, table, sizeof first);
        tgr_model_free(again);
        tgr_model_free(model);
        tgr_context_free(context);
    }
}

static void test_experts_follow_positions(void **state) {
    (void)state;
    tgr_context *context = test_context(2, 4);
    tgr_model *model = test_model(context, MODEL);
    float *images = test_images(model, BATCH, 1);
    for (tgr_mode mode = TGR_EVAL; mode <= TGR_TRAIN; mode++) {
        const tgr_routing *routing;
        const float *gates, *probabilities;
        assert_status(TGR_OK, tgr_model_forward(model, mode, images, BATCH));
        assert_status(TGR_OK, tgr_model_routing(model, 1, &routing));
        const tgr_routing_view view = test_routing_view(routing);
        const int32_t *choices = view.choices;
        gates = view.gates;
        const uint8_t *kept = view.kept;
        probabilities = view.probabilities;
        FOR(t, BATCH * TOKENS) {
            assert_int_equal(choices[t], (int32_t)table_of(model, 1)[t % TOKENS]);
            assert_true(gates[t] == 1 && kept[t] == 1);
            FOR(e, EXPERTS) assert_true(probabilities[t * EXPERTS + e] == (e == choices[t]));
        }
    }
    free(images);
    tgr_model_free(model);
    tgr_context_free(context);
}

static void test_training_leaves_the_table(void **state) {
    (void)state;
    const int32_t labels[BATCH] = {0, 3, 1};
    tgr_context *context = test_context(1, 4);
    tgr_model *model = test_model(context, MODEL "lr=0.1 weight_decay=0.5");
    tgr_loss *loss;
    tgr_optimizer *optimizer;
    float *images = test_images(model, BATCH, 1), before[TOKENS];
    memcpy(before, table_of(model, 0), sizeof before);
    const tgr_config *config = tgr_model_config(model);
    assert_status(TGR_OK, tgr_loss_create(&loss, model, NULL));
    assert_status(TGR_OK, tgr_optimizer_create(&optimizer, config, test_model_parameters(model)));
    for (int step = 0; step < 3; step++) {
        double total;
        assert_status(TGR_OK, tgr_model_forward(model, TGR_TRAIN, images, BATCH));
        assert_status(TGR_OK, tgr_loss_compute(loss, labels, &total));
        assert_status(TGR_OK, tgr_loss_backward(loss));
        assert_status(TGR_OK, tgr_optimizer_step(optimizer));
    }
    assert_same_bytes(table_of(model, 0), before, sizeof before);
    free(images);
    tgr_optimizer_free(optimizer);
    tgr_loss_free(loss);
    tgr_model_free(model);
    tgr_context_free(context);
}

/* A file may hold any numbers: they must not lead out of the experts. */
static void test_a_senseless_table_is_harmless(void **state) {
    (void)state;
    const float senseless[] = {-1, 5, NAN, INFINITY, -INFINITY, 1e30f, 4.5f, -0.5f};
    tgr_context *context = test_context(1, 4);
    tgr_model *model = test_model(context, MODEL);
    float *images = test_images(model, 1, 1);
    const tgr_routing *routing;
    memcpy((float *)table_of(model, 0), senseless, sizeof senseless);
    assert_status(TGR_OK, tgr_model_forward(model, TGR_TRAIN, images, 1));
    assert_status(TGR_OK, tgr_model_routing(model, 0, &routing));
    const tgr_routing_view view = test_routing_view(routing);
    const int32_t *choices = view.choices;
    FOR(t, TOKENS) assert_in_range(choices[t], 0, EXPERTS - 1);
    assert_int_equal(choices[6], 4);
    assert_int_equal(choices[0], 0);
    free(images);
    tgr_model_free(model);
    tgr_context_free(context);
}

static void test_a_layer_on_its_own_is_refused(void **state) {
    (void)state;
    tgr_context *context = test_context(1, 4);
    tgr_moe *moe = NULL;
    tgr_router *router = NULL;
    tgr_config *config = test_config(context, "method=hash");
    assert_fails(TGR_ERROR_UNSUPPORTED, "'hash'", tgr_moe_create(&moe, context, config, 8));
    assert_fails(TGR_ERROR_UNSUPPORTED, "'hash'", tgr_router_create(&router, context, config, 8));
    tgr_config_free(config);
    tgr_model *model = NULL;
    assert_fails(TGR_ERROR_OPTION, "'top_k'", test_model_create(&model, context, MODEL "top_k=2"));
    tgr_context_free(context);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_table_is_balanced_and_of_the_seed),
        cmocka_unit_test(test_experts_follow_positions),
        cmocka_unit_test(test_training_leaves_the_table),
        cmocka_unit_test(test_a_senseless_table_is_harmless),
        cmocka_unit_test(test_a_layer_on_its_own_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

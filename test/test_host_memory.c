/* SPDX-License-Identifier: MIT */
/* What a context holds when everything that was made from it is freed: what it held when it was new, whatever ran. */
#include "teacher_support.h"
#include "tgrmoe/checkpoint.h"
#include "tgrmoe/optimizer.h"
#include "tgrmoe/probe.h"
#include "tgrmoe/session.h"

static void run_layer(tgr_context *context, const tgr_config *config) {
    float x[6 * WIDTH] = {0}, y[6 * WIDTH];
    tgr_moe *moe = NULL;
    tgr_router *router = NULL;
    assert_status(TGR_OK, tgr_moe_create(&moe, context, config, WIDTH));
    assert_status(TGR_OK, tgr_router_create(&router, context, config, WIDTH));
    assert_status(TGR_OK, tgr_moe_forward(moe, TGR_TRAIN, x, 6, y));
    assert_status(TGR_OK, tgr_router_forward(router, TGR_TRAIN, x, 6));
    tgr_moe_free(moe);
    tgr_router_free(router);
}

static void run_teacher_router(tgr_context *context, const tgr_config *config) {
    const float features[6 * WIDTH] = {0};
    tgr_teacher_router *router = NULL;
    assert_status(TGR_OK, tgr_teacher_router_create(&router, context, config, WIDTH, EXPERTS));
    assert_status(TGR_OK, tgr_teacher_router_forward(router, features, 6, NULL));
    tgr_teacher_router_free(router);
}

/* A guided training, a session and a probe, all at once. */
static void run_models(tgr_context *context) {
    static const int32_t labels[BATCH] = {0, 1, 2, 3, 4};
    test_scene s = {.context = context};
    tgr_optimizer *optimizer = NULL;
    tgr_session *session = NULL;
    tgr_probe *probe = NULL;
    s.backbone = test_model_with(context, BACKBONE, "");
    s.student = test_model_with(context, STUDENT, "teacher_cache_mb=1");
    s.images = test_images(s.student, BATCH, 6);
    assert_status(TGR_OK, tgr_teacher_create(&s.teacher, s.backbone, s.student));
    assert_status(TGR_OK, tgr_loss_create(&s.loss, s.student, s.teacher));
    assert_status(TGR_OK,
                  tgr_optimizer_create(&optimizer, tgr_model_config(s.student), tgr_model_parameters(s.student)));
    assert_status(TGR_OK, tgr_session_create(&session, s.student, NULL));
    assert_status(TGR_OK, tgr_probe_create(&probe, s.student, s.images, BATCH, 2));
    assert_status(TGR_OK, tgr_loss_step(s.loss, optimizer, s.images, labels, BATCH, NULL));
    assert_status(TGR_OK, tgr_session_forward(session, s.images, BATCH));
    assert_status(TGR_OK, tgr_probe_run(probe));
    tgr_probe_free(probe);
    tgr_session_free(session);
    tgr_optimizer_free(optimizer);
    free(s.images);
    tgr_loss_free(s.loss);
    tgr_teacher_free(s.teacher);
    tgr_model_free(s.student);
    tgr_model_free(s.backbone);
}

static void test_nothing_stays_held(void **state) {
    (void)state;
    FOR_THREADS(threads) {
        tgr_context *context = test_context(threads, 3);
        const uint64_t start = tgr_context_bytes(context);
        tgr_config *config = NULL;
        assert_true(start < 1024);
        assert_status(TGR_OK, tgr_config_create(&config, context));
        assert_status(TGR_OK, test_config_set_all(config, "method=vmoe experts=4"));
        const uint64_t with_config = tgr_context_bytes(context);
        for (int round = 0; round < 2; round++) {
            run_layer(context, config);
            assert_int_equal(tgr_context_bytes(context), with_config);
            run_teacher_router(context, config);
            assert_int_equal(tgr_context_bytes(context), with_config);
            run_models(context);
            assert_int_equal(tgr_context_bytes(context), with_config);
        }
        tgr_config_free(config);
        assert_int_equal(tgr_context_bytes(context), start);
        tgr_context_free(context);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_nothing_stays_held)};
    return cmocka_run_group_tests_name("host_memory", tests, NULL, NULL);
}

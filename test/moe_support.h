/* SPDX-License-Identifier: MIT */
/* A MoE layer on its own from one line of options. */
#ifndef TGR_TEST_MOE_SUPPORT_H
#define TGR_TEST_MOE_SUPPORT_H

#include "support.h"
#include "tgrmoe/routing.h"

/* Of a small layer with balance losses; a method is to follow. */
#define SMALL_MOE                                                                                          \
    "experts=6 top_k=2 mlp_ratio=2 capacity_factor=1 init_std=0.2 router_init_std=0.5 switch_weight=0.01 " \
    "z_weight=0.001 "

static inline tgr_status test_moe_create(tgr_moe **out, tgr_context *context, const char *options, int64_t dim) {
    tgr_config *config = NULL;
    tgr_status status = TGR_OK;
    TGR_TRY_DONE(tgr_config_create(&config, context));
    TGR_TRY_DONE(test_config_set_all(config, options));
    TGR_TRY_DONE(tgr_moe_create(out, context, config, dim));
done:
    tgr_config_free(config);
    return status;
}

/* Or the test fails. */
static inline tgr_moe *test_moe(tgr_context *context, const char *options, int64_t dim) {
    tgr_moe *moe = NULL;
    assert_status(TGR_OK, test_moe_create(&moe, context, options, dim));
    return moe;
}

#endif

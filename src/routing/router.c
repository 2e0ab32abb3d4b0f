/* SPDX-License-Identifier: MIT */
/* A router's options, tensors and sizes. */
#include "routing/router.h"

#include <stdio.h>

#include "base/memory.h"
#include "base/options.h"
#include "base/status.h"
#include "routing/method.h"

tgr_status tgr_router_options_read(tgr_router_options *options, const tgr_config *config) {
    int method = (int)tgr_option_i64(config, TGR_OPTION_METHOD);
    int64_t experts = tgr_option_i64(config, TGR_OPTION_EXPERTS), top_k = tgr_option_i64(config, TGR_OPTION_TOP_K);
    TGR_REQUIRE(method != TGR_METHOD_DENSE, TGR_ERROR_RANGE,
                "option 'method' is dense; a method with experts is needed, such as vmoe or tgr");
    TGR_REQUIRE(tgr_method_of(method) != NULL, TGR_ERROR_UNSUPPORTED,
                "option 'method' is %s, which this build does not have", tgr_method_name(method));
    TGR_REQUIRE(top_k <= experts, TGR_ERROR_RANGE, "option 'top_k' is %lld; it must be at most 'experts', %lld",
                (long long)top_k, (long long)experts);
    *options = (tgr_router_options){
        .method = method,
        .experts = experts,
        .top_k = top_k,
        .capacity_factor = {[TGR_TRAIN] = tgr_option_f64(config, TGR_OPTION_CAPACITY_FACTOR),
                            [TGR_EVAL] = tgr_option_f64(config, TGR_OPTION_EVAL_CAPACITY_FACTOR)},
        .batch_prioritized = (int)tgr_option_i64(config, TGR_OPTION_BATCH_PRIORITIZED),
        .renormalize = (int)tgr_option_i64(config, TGR_OPTION_RENORMALIZE),
        .task_gradient = (int)tgr_option_i64(config, TGR_OPTION_ROUTER_TASK_GRADIENT),
        .noise = tgr_option_f64(config, TGR_OPTION_ROUTER_NOISE),
        .importance_weight = tgr_option_f64(config, TGR_OPTION_IMPORTANCE_WEIGHT),
        .load_weight = tgr_option_f64(config, TGR_OPTION_LOAD_WEIGHT),
        .switch_weight = tgr_option_f64(config, TGR_OPTION_SWITCH_WEIGHT),
        .z_weight = tgr_option_f64(config, TGR_OPTION_Z_WEIGHT),
        .init_std = tgr_option_f64(config, TGR_OPTION_ROUTER_INIT_STD),
    };
    return TGR_OK;
}

tgr_status tgr_layer_router_open(tgr_layer_router *router, const tgr_router_options *options,
                                 const tgr_layer_shape *shape, tgr_parameters *parameters, const tgr_config *config,
                                 const char *prefix) {
    *router = (tgr_layer_router){.options = *options,
                                 .shape = *shape,
                                 .method = tgr_method_of(options->method),
                                 .compute = &parameters->context->compute,
                                 .parameters = parameters};
    tgr_status status = TGR_OK;
    TGR_TRY_DONE(tgr_allocate(parameters->context, &router->own, router->method->own_bytes, 1));
    TGR_TRY_DONE(router->method->declare(router, config, prefix));
done:
    if (status != TGR_OK) tgr_layer_router_close(router);
    return status;
}

void tgr_layer_router_close(tgr_layer_router *router) {
    if (router->own != NULL) tgr_release(router->compute->context, router->own, router->method->own_bytes, 1);
    router->own = NULL;
}

tgr_status tgr_layer_router_add(tgr_layer_router *router, int64_t *index, const char *prefix, const char *name,
                                unsigned flags, int ndim, const int64_t *dims) {
    char full[TGR_NAME_BYTES + 1]; /* a name truncated here is still too long for tgr_parameters_add */
    snprintf(full, sizeof full, "%s%s", prefix, name);
    return tgr_parameters_add(router->parameters, index, full, flags, ndim, dims);
}

int64_t tgr_layer_router_most_slots(const tgr_layer_router *router, tgr_mode mode, int64_t tokens) {
    int64_t slots;
    if (router->method->most_slots != NULL) return router->method->most_slots(router, mode, tokens);
    return tgr_multiply(tokens, router->options.top_k, &slots) ? slots : -1;
}

/* SPDX-License-Identifier: MIT */
/* The standalone router: a MoE layer without experts. */
#include "base/status.h"
#include "routing/handles/standalone.h"

tgr_status tgr_router_create(tgr_router **out, tgr_context *context, const tgr_config *config, int64_t dim) {
    TGR_ENTER;
    TGR_REQUIRE_ARGUMENT(out);
    TGR_REQUIRE_ARGUMENT(context);
    TGR_REQUIRE_ARGUMENT(config);
    void *memory;
    TGR_TRY(tgr_allocate(context, &memory, 1, sizeof(tgr_router)));
    tgr_router *router = memory;
    tgr_status status = TGR_OK;
    TGR_TRY_DONE(tgr_standalone_open(&router->inside, context, config, dim, 0));
    tgr_context_retain(context);
    *out = router;
done:
    if (status != TGR_OK) tgr_release(context, router, 1, sizeof *router);
    return status;
}

void tgr_router_free(tgr_router *router) {
    if (router == NULL) return;
    tgr_context *context = router->inside.context;
    tgr_standalone_close(&router->inside);
    tgr_release(context, router, 1, sizeof *router);
    tgr_context_free(context);
}

tgr_status tgr_router_forward(tgr_router *router, tgr_mode mode, const float *x, int64_t tokens) {
    TGR_ENTER;
    TGR_REQUIRE_ARGUMENT(router);
    TGR_TRY(tgr_standalone_prepare(&router->inside, mode, x, tokens));
    tgr_moe_layer_forward(router->inside.layer, mode, tokens, &router->inside.input, NULL);
    return TGR_OK;
}

tgr_status tgr_router_set_sequence(tgr_router *router, int64_t tokens_per_sequence) {
    TGR_ENTER;
    TGR_REQUIRE_ARGUMENT(router);
    return tgr_standalone_set_sequence(&router->inside, tokens_per_sequence);
}

tgr_status tgr_router_backward(tgr_router *router, const float *gates_gradient, float *x_gradient) {
    TGR_ENTER;
    TGR_REQUIRE_ARGUMENT(router);
    TGR_REQUIRE_ARGUMENT(gates_gradient);
    TGR_TRY(tgr_standalone_check_backward(&router->inside));
    const int64_t top_k = tgr_moe_layer_routing(router->inside.layer)->top_k;
    TGR_TRY(tgr_standalone_check_buffers(&router->inside, "gates_gradient", gates_gradient, top_k, x_gradient));
    tgr_moe_layer_backward_from_gates(router->inside.layer, &router->inside.input, gates_gradient, x_gradient);
    tgr_standalone_finish_backward(&router->inside);
    return TGR_OK;
}

const tgr_routing *tgr_router_routing(const tgr_router *router) {
    return router != NULL ? tgr_moe_layer_routing(router->inside.layer) : NULL;
}

tgr_parameters *tgr_router_parameters(tgr_router *router) {
    return router != NULL ? router->inside.parameters : NULL;
}

tgr_status tgr_router_guide(tgr_router *router, const float *teacher, double weight, double *divergence) {
    TGR_ENTER;
    TGR_REQUIRE_ARGUMENT(router);
    return tgr_standalone_guide(&router->inside, teacher, weight, divergence);
}

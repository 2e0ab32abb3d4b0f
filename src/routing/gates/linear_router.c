/* SPDX-License-Identifier: MIT */
/* l = W x by a Linear, p = softmax(l). */
#include "routing/gates/linear_router.h"

#include "base/status.h"
#include "kernels/parallel_rows.h"

tgr_status tgr_linear_router_declare_as(tgr_layer_router *router, const char *prefix, const char *name) {
    int64_t dim = router->shape.dim, experts = router->options.experts, weight;
    TGR_TRY(tgr_layer_router_add(router, &weight, prefix, name, 0, 2, (const int64_t[]){experts, dim}));
    router->linear = tgr_linear_of(router->parameters, dim, experts, weight, TGR_NO_BIAS);
    return TGR_OK;
}

tgr_status tgr_linear_router_declare(tgr_layer_router *router, const tgr_config *config, const char *prefix) {
    (void)config;
    return tgr_linear_router_declare_as(router, prefix, "router.weight");
}

void tgr_linear_router_initialise(tgr_layer_router *router) {
    tgr_linear_initialise(&router->linear, router->options.init_std);
}

void tgr_linear_router_score(const tgr_layer_router *router, const tgr_routing_pass *pass, const tgr_layer_input *input,
                             tgr_routing_work *work, tgr_scores *scores) {
    (void)work;
    tgr_linear_forward(&router->linear, pass->tokens, input->x, scores->logits, 0);
    tgr_softmax_rows(router->compute, pass->tokens, router->options.experts, 1.0f, scores->logits,
                     scores->probabilities, NULL);
}

void tgr_linear_router_backward(tgr_layer_router *router, const tgr_routing_pass *pass, const tgr_layer_input *input,
                                const float *dlogits, int accumulate, tgr_routing_work *work, float *dx) {
    (void)work;
    tgr_linear_backward(&router->linear, pass->tokens, input->x, dlogits, dx, accumulate, NULL);
}

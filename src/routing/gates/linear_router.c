/* SPDX-License-Identifier: MIT */
/* The linear router as three matrix products. */
#include "routing/gates/linear_router.h"

#include "base/initialise.h"
#include "kernels/linear_products.h"
#include "kernels/parallel_rows.h"

tgr_status tgr_linear_router_declare(tgr_layer_router *router, const tgr_config *config, const char *prefix) {
    (void)config;
    return tgr_layer_router_add(router, &router->weight, prefix, "router.weight", 0, 2,
                                (const int64_t[]){router->options.experts, router->shape.dim});
}

void tgr_linear_router_initialise(tgr_layer_router *router) {
    tgr_initialise_truncated(router->parameters, router->weight, router->options.init_std);
}

void tgr_linear_logits(const tgr_layer_router *router, const tgr_routing_pass *pass, const tgr_layer_input *input,
                       float *logits) {
    tgr_gemm product = tgr_linear_output(pass->tokens, router->shape.dim, router->options.experts, input->x,
                                         tgr_value(router->parameters, router->weight), NULL, logits);
    tgr_gemm_run(router->compute, &product, 1);
}

void tgr_linear_router_score(const tgr_layer_router *router, const tgr_routing_pass *pass, const tgr_layer_input *input,
                             tgr_routing_work *work, tgr_scores *scores) {
    (void)work;
    tgr_linear_logits(router, pass, input, scores->logits);
    tgr_softmax_rows(router->compute, pass->tokens, router->options.experts, 1.0f, scores->logits,
                     scores->probabilities, NULL);
}

void tgr_linear_router_backward(tgr_layer_router *router, const tgr_routing_pass *pass, const tgr_layer_input *input,
                                const float *dlogits, int accumulate, tgr_routing_work *work, float *dx) {
    int64_t tokens = pass->tokens, dim = router->shape.dim, experts = router->options.experts;
    const float *weight = tgr_value(router->parameters, router->weight);
    float *dweight = tgr_gradient(router->parameters, router->weight);
    (void)work;
    tgr_gemm products[] = {tgr_linear_weight_gradient(tokens, dim, experts, input->x, dlogits, dweight),
                           tgr_linear_input_gradient(tokens, dim, experts, dlogits, weight, dx, accumulate)};
    tgr_gemm_run(router->compute, products, dx != NULL ? 2 : 1);
}

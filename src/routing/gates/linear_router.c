/* SPDX-License-Identifier: MIT */
/* The linear router as three matrix products. */
#include "routing/gates/linear_router.h"

#include "base/initialise.h"
#include "kernels/linear_products.h"
#include "kernels/parallel_rows.h"

tgr_status tgr_linear_router_declare(tgr_routing *routing, const tgr_config *config, const char *prefix) {
    (void)config;
    return tgr_routing_declare(routing, &routing->router_weight, prefix, "router.weight", 0, 2,
                               (const int64_t[]){routing->options.experts, routing->shape.dim});
}

void tgr_linear_router_initialise(tgr_routing *routing) {
    tgr_initialise_truncated(routing->parameters, routing->router_weight, routing->options.init_std);
}

void tgr_linear_router_score(tgr_routing *routing) {
    int64_t tokens = routing->tokens, experts = routing->options.experts;
    const float *weight = tgr_value(routing->parameters, routing->router_weight);
    tgr_gemm logits =
        tgr_linear_output(tokens, routing->shape.dim, experts, routing->input.x, weight, NULL, routing->logits);
    tgr_gemm_run(routing->compute, &logits, 1);
    tgr_softmax_rows(routing->compute, tokens, experts, 1.0f, routing->logits, routing->probabilities, NULL);
}

void tgr_linear_router_backward(tgr_routing *routing, float *x_gradient, int accumulate) {
    int64_t tokens = routing->tokens, dim = routing->shape.dim, experts = routing->options.experts;
    const float *gradient = routing->logits_gradient;
    const float *weight = tgr_value(routing->parameters, routing->router_weight);
    float *weight_gradient = tgr_gradient(routing->parameters, routing->router_weight);
    tgr_gemm products[] = {
        tgr_linear_weight_gradient(tokens, dim, experts, routing->input.x, gradient, weight_gradient),
        tgr_linear_input_gradient(tokens, dim, experts, gradient, weight, x_gradient, accumulate)};
    tgr_gemm_run(routing->compute, products, x_gradient != NULL ? 2 : 1);
}

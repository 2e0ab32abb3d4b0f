/* SPDX-License-Identifier: MIT */
/* Experts that every token meets with weight 1, beside the routed ones (Dai et al., DeepSeekMoE, arXiv 2401.06066):
 * y += Linear(GELU(Linear(x))). The sum of s FFNs of `hidden` is one FFN of s · hidden, which is what is computed. */
#ifndef TGR_ROUTING_SHARED_EXPERTS_H
#define TGR_ROUTING_SHARED_EXPERTS_H

#include "base/context.h"
#include "base/memory.h"
#include "base/parameters.h"
#include "kernels/gemm.h"

typedef struct tgr_shared_experts {
    const tgr_compute *compute;
    tgr_parameters *parameters;
    int64_t dim, hidden; /* hidden: of all of them together */
    tgr_precision precision;
    int64_t fc1_weight, fc1_bias, fc2_weight, fc2_bias; /* tensors */
    float *hidden_values; /* [T, hidden], before GELU; backward makes them those after it */
    float *activation;    /* [T, hidden], after GELU; in backward the gradient of what is before */
    float *partial;       /* see tgr_column_sum */
} tgr_shared_experts;

/* Adds "<prefix>shared.fc1.weight" [hidden, dim], "<prefix>shared.fc1.bias" [hidden], "<prefix>shared.fc2.weight"
 * [dim, hidden], "<prefix>shared.fc2.bias" [dim]. */
tgr_status tgr_shared_experts_declare(tgr_shared_experts *shared, tgr_parameters *parameters, const char *prefix,
                                      int64_t dim, int64_t hidden, tgr_precision precision);
void tgr_shared_experts_initialise(tgr_shared_experts *shared, double deviation);
/* As those of experts.h: hidden_values is kept from forward to backward, the others are not. */
void tgr_shared_experts_plan_kept(tgr_shared_experts *shared, tgr_arena *arena, int64_t tokens);
void tgr_shared_experts_plan_work(tgr_shared_experts *shared, tgr_mode mode, tgr_arena *arena, int64_t tokens);
/* y [tokens, dim] += FFN(x [tokens, dim]) */
void tgr_shared_experts_forward(tgr_shared_experts *shared, int64_t tokens, const float *x, float *y);
/* Adds to the gradients of the weights, and to x_gradient [tokens, dim] unless it is NULL. Once for each forward, with
 * the same x. */
void tgr_shared_experts_backward(tgr_shared_experts *shared, int64_t tokens, const float *x, const float *y_gradient,
                                 float *x_gradient);

#endif

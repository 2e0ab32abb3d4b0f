/* SPDX-License-Identifier: MIT */
/* Experts that every token goes to with weight 1, next to the routed ones (Dai et al., DeepSeekMoE, arXiv 2401.06066).
 * The sum of s FFNs of `hidden` is one FFN of s · hidden, which is what is computed. */
#ifndef TGR_ROUTING_SHARED_EXPERTS_H
#define TGR_ROUTING_SHARED_EXPERTS_H

#include "layers/ffn.h"

typedef struct tgr_shared_experts {
    int64_t hidden; /* of all of them together */
    tgr_ffn ffn;
    float *partial; /* see tgr_ffn_backward */
} tgr_shared_experts;

/* Adds "<prefix>shared.fc1.…" and "<prefix>shared.fc2.…". */
tgr_status tgr_shared_experts_declare(tgr_shared_experts *shared, tgr_parameters *parameters, const char *prefix,
                                      int64_t dim, int64_t hidden, tgr_precision precision);
void tgr_shared_experts_initialise(tgr_shared_experts *shared, double deviation);
/* Buffers for up to `tokens` tokens. plan_kept comes first. */
void tgr_shared_experts_plan_kept(tgr_shared_experts *shared, tgr_arena *arena, int64_t tokens);
void tgr_shared_experts_plan_work(tgr_shared_experts *shared, tgr_mode mode, tgr_arena *arena, int64_t tokens);
/* y [tokens, dim] += FFN(x [tokens, dim]) */
void tgr_shared_experts_forward(tgr_shared_experts *shared, int64_t tokens, const float *x, float *y);
/* Adds to the gradients of the weights, and to dx [tokens, dim] unless it is NULL. Once for each forward, with the same
 * x. */
void tgr_shared_experts_backward(tgr_shared_experts *shared, int64_t tokens, const float *x, const float *dy,
                                 float *dx);

#endif

/* SPDX-License-Identifier: MIT */
/* The gate of V-MoE (Riquelme et al., arXiv 2106.05974, section 2.1):
 *
 *     q = softmax(l + ε),   ε ~ Normal(0, (router_noise / E)²) in training, otherwise 0
 *     the experts of a token: the K largest of q
 *     g_k = q of the k-th, or with renormalize q of the k-th / Σ_j q of the j-th */
#ifndef TGR_ROUTING_GATES_SOFTMAX_GATE_H
#define TGR_ROUTING_GATES_SOFTMAX_GATE_H

#include "routing/work.h"

/* Steps of a tgr_method. */
void tgr_softmax_gate(const tgr_layer_router *router, const tgr_routing_pass *pass, const tgr_scores *scores,
                      tgr_routing_work *work, tgr_choices *choices);
void tgr_softmax_gate_backward(const tgr_layer_router *router, const tgr_routing_pass *pass, const tgr_choices *choices,
                               const tgr_slots *slots, const float *dgates, tgr_routing_work *work, float *dlogits);

/* The experts of the K largest of ranks [T, E], and their gates from gate_probabilities. */
void tgr_choose_experts(const tgr_layer_router *router, const tgr_routing_pass *pass, const float *ranks,
                        tgr_choices *choices);

#endif

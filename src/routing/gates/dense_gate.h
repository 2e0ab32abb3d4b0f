/* SPDX-License-Identifier: MIT */
/* Gates over any number of experts per token, by slots: shared by methods that run (nearly) all experts in training and
 * K in evaluation. With q [T, E] the gate_probabilities, S_t the experts that token t takes:
 *
 *     S_t = the K best, and every expert with q_{t,e} > threshold (infinite: none; below 0: all)
 *     y_t = Σ_{e ∈ S_t} g_{t,e} · expert_e(x_t),    g = q, or with renormalize q_{t,e} / Σ_{j ∈ S_t} q_{t,j}
 *
 * The K best are the choices, so that top-1 has its usual meaning; all are kept. S_t is a constant for the gradient. */
#ifndef TGR_ROUTING_GATES_DENSE_GATE_H
#define TGR_ROUTING_GATES_DENSE_GATE_H

#include "routing/work.h"

/* T · E in training, T · K in evaluation. A step of a tgr_method. */
int64_t tgr_dense_most_slots(const tgr_layer_router *router, tgr_mode mode, int64_t tokens);
/* From gate_probabilities: the K best, and their gates g. */
void tgr_dense_route(const tgr_layer_router *router, const tgr_routing_pass *pass, double threshold,
                     tgr_choices *choices);
/* The experts of every S_t, and their gates. */
void tgr_dense_assign(const tgr_layer_router *router, const tgr_routing_pass *pass, double threshold,
                      const tgr_choices *choices, tgr_slots *slots);
/* dlogits [T, E] += the task's, from dgates [S], where q = softmax(logits / temperature) */
void tgr_dense_route_backward(const tgr_layer_router *router, const tgr_routing_pass *pass, double threshold,
                              double temperature, const tgr_choices *choices, const tgr_slots *slots,
                              const float *dgates, float *dlogits);

#endif

/* SPDX-License-Identifier: MIT */
/* Gates over any number of experts of a token, by way of slots: what methods share that run (nearly) all experts in
 * training and K in evaluation. With q [T, E] the gate_probabilities, S_t the experts that token t takes:
 *
 *     y_t = Σ_{e ∈ S_t} g_{t,e} · expert_e(x_t),    g = q, or with renormalize q_{t,e} / Σ_{j ∈ S_t} q_{t,j}
 *
 * The K best are always taken and are the choices, so that top-1 means what it means elsewhere; all are kept. S_t is a
 * constant for the gradient. */
#ifndef TGR_ROUTING_DENSE_GATE_H
#define TGR_ROUTING_DENSE_GATE_H

#include "routing/routing.h"

/* T · E */
int64_t tgr_dense_most_slots(const tgr_routing *routing, tgr_mode mode, int64_t tokens);
/* From choices and gate_probabilities: every expert whose q is above the threshold, besides the choices, and their
 * gates. */
void tgr_take_experts(tgr_routing *routing, double threshold);
/* From slot_gates_gradient to logits_gradient, where q = softmax(logits / temperature). */
void tgr_dense_gate_backward(tgr_routing *routing, double temperature);

#endif

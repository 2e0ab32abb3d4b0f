/* SPDX-License-Identifier: MIT */
/* The gate of V-MoE (Riquelme et al., arXiv 2106.05974, section 2.1): the top K of softmax(l + ε), where
 * ε ~ Normal(0, (router_noise / E)²) in training; the weights are not renormalised unless the option asks for it. */
#ifndef TGR_ROUTING_SOFTMAX_GATE_H
#define TGR_ROUTING_SOFTMAX_GATE_H

#include "base/random.h"
#include "routing/routing.h"

/* From gate_probabilities: the K largest and their gates. */
void tgr_choose_experts(tgr_routing *routing);
void tgr_softmax_gate(tgr_routing *routing, const tgr_random *random);
void tgr_softmax_gate_backward(tgr_routing *routing);

#endif

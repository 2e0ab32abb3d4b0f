/* SPDX-License-Identifier: MIT */
/* Gates of the one expert that a token has (K = 1), for methods whose scores compete without softmax:
 *
 *     a_t = argmax_e l_{t,e}          g_t = σ(s_{t,a_t}) */
#ifndef TGR_ROUTING_GATES_SIGMOID_GATE_H
#define TGR_ROUTING_GATES_SIGMOID_GATE_H

#include "routing/router.h"

/* choices->experts [T] from logits [T, E]; ties go to the lower expert. */
void tgr_choose_best(const tgr_layer_router *router, const tgr_routing_pass *pass, const float *logits,
                     tgr_choices *choices);
/* choices->gates [T] from the experts chosen and scores [T, E]. */
void tgr_sigmoid_gate(const tgr_layer_router *router, const tgr_routing_pass *pass, const float *scores,
                      tgr_choices *choices);

#endif

/* SPDX-License-Identifier: MIT */
/* The gate of the one expert that a token has (K = 1), for methods whose scores compete without softmax:
 *
 *     g_t = σ(s_{t,a_t}),   a_t the expert of token t */
#ifndef TGR_ROUTING_GATES_SIGMOID_GATE_H
#define TGR_ROUTING_GATES_SIGMOID_GATE_H

#include "routing/router.h"

/* choices->gates [T] from the experts chosen and scores [T, E]. */
void tgr_sigmoid_gate(const tgr_layer_router *router, const tgr_routing_pass *pass, const float *scores,
                      tgr_choices *choices);

#endif

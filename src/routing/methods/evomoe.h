/* SPDX-License-Identifier: MIT */
/* The dense-to-sparse gate of EvoMoE (Nie et al., arXiv 2112.14397): softmax with a temperature τ that
 * falls during training, so that a token goes to nearly all experts at first and to few at last.
 *
 *     q = softmax(l / τ),    τ from evo_temperature_start to evo_temperature_end, linear in the step, over the first
 *                            evo_dense_share of total_steps, then constant
 *     falling:     a token takes the experts with q > evo_threshold, K of them at least, and
 *                  y_t = Σ q_{t,e} · expert_e(x_t) over those
 *     afterwards:  the K best alone
 *     evaluation:  the K best alone, with τ = evo_temperature_end: the model that training ends with, at any step
 *
 * Choices where the paper leaves them or differs: no Gumbel noise on the logits; weights are not renormalised unless
 * the option asks for it; K is fixed once τ has fallen; experts start apart, not as copies of one (see `upcycle` for
 * that). Losses, guidance and measures read p = softmax(l), with temperature 1. The temperature is a function of the
 * step, so there is no state. Top-1 is the expert of the largest gate. */
#ifndef TGR_ROUTING_EVOMOE_H
#define TGR_ROUTING_EVOMOE_H

#include "base/random.h"
#include "routing/routing.h"

tgr_status tgr_evomoe_declare(tgr_routing *routing, const tgr_config *config, const char *prefix);
void tgr_evomoe_plan(tgr_routing *routing, tgr_arena *arena, int64_t tokens);
void tgr_evomoe_route(tgr_routing *routing, const tgr_random *random);
void tgr_evomoe_assign(tgr_routing *routing);
void tgr_evomoe_backward(tgr_routing *routing);

#endif

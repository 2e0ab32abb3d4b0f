/* SPDX-License-Identifier: MIT */
/* Expert Choice (Zhou et al., NeurIPS 2022, arXiv 2202.09368): experts choose tokens, so that loads are equal by
 * construction and a token has as many experts as want it, from none to all.
 *
 *     p = softmax(W·x)                             [T, E], over the experts
 *     C = ceil(T · capacity_factor / E), at most T
 *     S_e = the C tokens with the largest p_{·,e}, ties to the lower token
 *     y_t = Σ_{e: t ∈ S_e} p_{t,e} · FFN_e(x_t)
 *
 * The tokens compete within the whole batch, in evaluation too: a token's outcome depends on its batch. Without a limit
 * there would be nothing to choose, hence no capacity factor of 0. There is no K; each token has one choice on record
 * (top-1): of the experts that took it the one with the largest p, or, where none did, the router's first, not kept. */
#ifndef TGR_ROUTING_EXPERT_CHOICE_H
#define TGR_ROUTING_EXPERT_CHOICE_H

#include "base/random.h"
#include "routing/routing.h"

tgr_status tgr_expert_choice_declare(tgr_routing *routing, const tgr_config *config, const char *prefix);
int64_t tgr_expert_choice_most_slots(const tgr_routing *routing, tgr_mode mode, int64_t tokens);
/* Experts take their tokens: token_of_slot and gate_of_slot, C for each expert; then each token's top-1. */
void tgr_expert_choice_route(tgr_routing *routing, const tgr_random *random);
void tgr_expert_choice_assign(tgr_routing *routing);
void tgr_expert_choice_backward(tgr_routing *routing);

#endif

/* SPDX-License-Identifier: MIT */
/* Which choices get a slot within the capacity of their expert, and which slot (V-MoE, arXiv 2106.05974, sections 2.4
 * and 4):
 *
 *     C = ceil(T · K · capacity_factor / E), at most T; T without a factor
 *
 * All first choices come before any second one; within a rank in order of tokens, or with batch_prioritized of the
 * tokens' largest gates. */
#ifndef TGR_ROUTING_SLOTS_CAPACITY_H
#define TGR_ROUTING_SLOTS_CAPACITY_H

#include "routing/work.h"

/* C: the most tokens that an expert computes of a batch of `tokens` tokens. */
int64_t tgr_capacity(const tgr_router_options *options, tgr_mode mode, int64_t tokens);
/* A tgr_method's assign for token choice. */
void tgr_assign_slots(const tgr_layer_router *router, const tgr_routing_pass *pass, const tgr_choices *choices,
                      tgr_routing_work *work, tgr_slots *slots);
/* If every expert has `each` slots: load, first_slot, count. */
void tgr_assign_equally(int64_t experts, int64_t each, tgr_slots *slots);

#endif

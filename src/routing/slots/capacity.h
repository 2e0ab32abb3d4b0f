/* SPDX-License-Identifier: MIT */
/* Which choices get a slot within the capacity of their expert, and which slot (V-MoE, arXiv 2106.05974, sections 2.4
 * and 4). */
#ifndef TGR_ROUTING_CAPACITY_H
#define TGR_ROUTING_CAPACITY_H

#include "routing/routing.h"

/* The most tokens that an expert computes of this batch: ceil(T · K · capacity_factor / E), or T where less suffices or
 * there is no limit. */
int64_t tgr_capacity(const tgr_routing *routing);
/* The same of a batch of `tokens` tokens. */
int64_t tgr_capacity_of(const tgr_routing *routing, int64_t tokens, tgr_mode mode);
/* From choices and gates: kept, load, slot_of_choice, token_of_slot, first_slot, slots. All first choices come before
 * any second; within a rank by token, or with batch_prioritized by the token's largest gate. */
void tgr_assign_slots(tgr_routing *routing);

#endif

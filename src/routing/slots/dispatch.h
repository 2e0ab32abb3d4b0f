/* SPDX-License-Identifier: MIT */
/* Tokens to slots and back: x [T, dim] to the experts' input [S, dim], their output [S, dim] to y [T, dim]. These are
 * steps of a tgr_method. Every task writes its own rows, so nothing needs a lock and no order can vary.
 *
 *     input[s] = x[token of s]                              dx[t] = Σ_s dinput[s] over the slots of t
 *     y[t] = Σ_s g_s · output[s] over the slots of t        dg_s = ⟨dy[t], output[s]⟩,  doutput[s] = g_s · dy[t]
 *
 * Where a token chooses, its slots are those of its K choices that were kept, and a gate belongs to a choice. Otherwise
 * (weighs_slots) a token has any number of slots, in ascending order, and a gate belongs to a slot. */
#ifndef TGR_ROUTING_SLOTS_DISPATCH_H
#define TGR_ROUTING_SLOTS_DISPATCH_H

#include "routing/work.h"

void tgr_gather_tokens(const tgr_layer_router *router, const tgr_routing_pass *pass, const tgr_slots *slots,
                       const float *x, tgr_routing_work *work, float *input);

/* Gates of choices. */
void tgr_combine_tokens(const tgr_layer_router *router, const tgr_routing_pass *pass, const tgr_choices *choices,
                        const tgr_slots *slots, const float *output, tgr_routing_work *work, float *y);
void tgr_combine_tokens_backward(const tgr_layer_router *router, const tgr_routing_pass *pass,
                                 const tgr_choices *choices, const tgr_slots *slots, const float *dy,
                                 const float *output, tgr_routing_work *work, float *dgates, float *doutput);
void tgr_gather_tokens_backward(const tgr_layer_router *router, const tgr_routing_pass *pass, const tgr_slots *slots,
                                const float *x, const float *dinput, tgr_routing_work *work, float *dx);

/* Gates of slots. */
void tgr_combine_slots(const tgr_layer_router *router, const tgr_routing_pass *pass, const tgr_choices *choices,
                       const tgr_slots *slots, const float *output, tgr_routing_work *work, float *y);
void tgr_combine_slots_backward(const tgr_layer_router *router, const tgr_routing_pass *pass,
                                const tgr_choices *choices, const tgr_slots *slots, const float *dy,
                                const float *output, tgr_routing_work *work, float *dgates, float *doutput);
void tgr_gather_slots_backward(const tgr_layer_router *router, const tgr_routing_pass *pass, const tgr_slots *slots,
                               const float *x, const float *dinput, tgr_routing_work *work, float *dx);
/* From token_of_slot and count: first_slot_of_token and slots_of_token. The assign of such a method ends with it. */
void tgr_index_slots(int64_t tokens, tgr_slots *slots);

#endif

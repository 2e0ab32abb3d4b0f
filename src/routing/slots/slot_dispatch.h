/* SPDX-License-Identifier: MIT */
/* The combine of methods where a gate belongs to a slot, not to one of a token's K choices: a token may have any number
 * of slots. Their gather is tgr_gather_tokens. All sums run over a token's slots in ascending order. */
#ifndef TGR_ROUTING_SLOT_DISPATCH_H
#define TGR_ROUTING_SLOT_DISPATCH_H

#include "routing/routing.h"

/* From token_of_slot and slots: first_slot_of_token and slots_of_token. The last thing that assign does. */
void tgr_index_slots(tgr_routing *routing);
/* y[t] = Σ_s gate_of_slot(s) · output[s] over the slots of t */
void tgr_combine_slots(const tgr_routing *routing, int64_t dim, const float *output, float *y);
/* slot_gates_gradient(s) = ⟨y_gradient[token of s], output[s]⟩; output[s] = gate_of_slot(s) · y_gradient[token of s].
 */
void tgr_combine_slots_backward(tgr_routing *routing, int64_t dim, const float *y_gradient, float *output);
/* x_gradient[t] = Σ_s input_gradient[s] over the slots of t */
void tgr_gather_slots_backward(const tgr_routing *routing, int64_t dim, const float *input_gradient, float *x_gradient);

#endif

/* SPDX-License-Identifier: MIT */
/* Tokens to slots and back: x [T, dim] to the experts' input [slots, dim], their output [slots, dim] to y [T, dim].
 * Every task writes rows of its own, so there is nothing to lock and nothing whose order could change. */
#ifndef TGR_ROUTING_DISPATCH_H
#define TGR_ROUTING_DISPATCH_H

#include "routing/routing.h"

/* input[s] = x[token of s] */
void tgr_gather_tokens(const tgr_routing *routing, int64_t dim, const float *x, float *input);
/* y[t] = Σ_k gate(t, k) · output[slot of (t, k)] over the choices kept */
void tgr_combine_tokens(const tgr_routing *routing, int64_t dim, const float *output, float *y);
/* gates_gradient(t, k) = ⟨y_gradient[t], output[slot]⟩, 0 where dropped; output[slot] = gate · y_gradient[t]. */
void tgr_combine_tokens_backward(tgr_routing *routing, int64_t dim, const float *y_gradient, float *output);
/* x_gradient[t] = Σ_k input_gradient[slot of (t, k)] */
void tgr_gather_tokens_backward(const tgr_routing *routing, int64_t dim, const float *input_gradient,
                                float *x_gradient);

#endif

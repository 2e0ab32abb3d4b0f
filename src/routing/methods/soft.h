/* SPDX-License-Identifier: MIT */
/* Soft MoE (Puigcerver et al., ICLR 2024, arXiv 2308.00951): no token is assigned anywhere. An expert computes S slots
 * of each image, a slot being a mixture of the image's tokens, and a token gets a mixture of all slots' outputs;
 * everything is differentiable, and no image sees another. For an image X [N, dim], with unit vectors by rows
 * (similarity.h):
 *
 *     L = scale · unit(X) · unit(Φ)ᵀ               [N, E·S]
 *     D = softmax of L by columns: over the tokens (dispatch)
 *     C = softmax of L by rows: over all slots     (combine)
 *     X̃ = Dᵀ·X                                     [E·S, dim], rows e·S … e·S + S - 1 for expert e
 *     Y = C·FFN(X̃)                                 [N, dim]
 *
 * Φ [E·S, dim] and the one scale learn. S is soft_slots, or ceil(N / E) as many as make the cost that of one expert for
 * each token. Slots of an expert stand image by image, so that first_slot[e] = e · images · S.
 *
 * There is no choice to record, but what comes closest to it: p_{t,e} = Σ_s C_{t,eS+s}, the share of expert e in what
 * token t gets; logits are log Σ_s exp L_{t,eS+s}, whose softmax p is; top-1 is the expert with the largest p, always
 * kept. The load is the slots that an expert computed, the same for all. slot_of_choice and token_of_slot have no
 * meaning. A teacher has no router here to guide. */
#ifndef TGR_ROUTING_SOFT_H
#define TGR_ROUTING_SOFT_H

#include "base/random.h"
#include "routing/routing.h"

/* Adds "<prefix>router.phi" [E·S, dim] and "<prefix>router.scale" [1]. A layer on its own, where N is not known, needs
 * soft_slots. */
tgr_status tgr_soft_declare(tgr_routing *routing, const tgr_config *config, const char *prefix);
void tgr_soft_initialise(tgr_routing *routing);
int64_t tgr_soft_most_slots(const tgr_routing *routing, tgr_mode mode, int64_t tokens);
void tgr_soft_plan(tgr_routing *routing, tgr_arena *arena, int64_t tokens);
void tgr_soft_score(tgr_routing *routing);
void tgr_soft_route(tgr_routing *routing, const tgr_random *random);
void tgr_soft_assign(tgr_routing *routing);
void tgr_soft_gather(const tgr_routing *routing, int64_t dim, const float *x, float *input);
void tgr_soft_combine(const tgr_routing *routing, int64_t dim, const float *output, float *y);
void tgr_soft_combine_backward(tgr_routing *routing, int64_t dim, const float *y_gradient, float *output);
void tgr_soft_gather_backward(const tgr_routing *routing, int64_t dim, const float *input_gradient, float *x_gradient);
void tgr_soft_score_backward(tgr_routing *routing, float *x_gradient, int accumulate);

#endif

/* SPDX-License-Identifier: MIT */
/* StableMoE (Dai et al., ACL 2022, arXiv 2204.08396): learn where tokens go, then let the routing stand still. K is 1.
 *
 * With the learned scores s_{t,i} = E_i · x_t, E the experts' centroids, and the distilled scores ŝ_t = Ê · D(X_t) of
 * stable_router.h, a token's expert is
 *
 *     a_t = argmax_i s_{t,i}     in training during stage 1
 *     a_t = argmax_i ŝ_{t,i}     in training during stage 2, and in evaluation always
 *
 * and the layer's output σ(s_{t,a}) · FFN_a(x_t), in both stages with the learned s. Two losses belong to training in
 * stage 1, and no other does, so that evaluation and stage 2 have the task's alone. With A_i the tokens of expert i in
 * this batch and n = T / E, both are means per token:
 *
 *     balance  stable_balance_weight / T · Σ_i (|A_i| - n) / n · Σ_{t in A_i} σ(s_{t,i})     the counts are constants
 *     distill  stable_distill_weight / T · Σ_t CE(ŝ_t, a_t)                                  a_t is a constant
 *
 * Stage 2 begins at the first step that is not before stable_stage1 · total_steps. Without total_steps it never does,
 * unless stable_stage1 is 0. From then on D and Ê are frozen (tgr_tensor.frozen_from), hence the routing of an image
 * never changes again; E learns on through the gate. The stage hangs on the step alone: there is no state to save.
 *
 * The routing record's logits are the scores that chose, s or ŝ, and its probabilities their softmax;
 * logits_gradient is that of s in any case. */
#ifndef TGR_ROUTING_STABLE_H
#define TGR_ROUTING_STABLE_H

#include "base/random.h"
#include "routing/routing.h"

/* Adds "<prefix>router.centroids" [E, dim], "<prefix>router.patch.weight" [width, patch_dim],
 * "<prefix>router.patch.bias" [width], "<prefix>router.position" [sequence, width], "<prefix>router.prefix" [prefix
 * tokens, width] and "<prefix>router.distilled" [E, width]. */
tgr_status tgr_stable_declare(tgr_routing *routing, const tgr_config *config, const char *prefix);
void tgr_stable_initialise(tgr_routing *routing);
void tgr_stable_plan(tgr_routing *routing, tgr_arena *arena, int64_t tokens);
void tgr_stable_score(tgr_routing *routing);
void tgr_stable_route(tgr_routing *routing, const tgr_random *random);
void tgr_stable_losses(tgr_routing *routing);
void tgr_stable_gate_backward(tgr_routing *routing);
void tgr_stable_score_backward(tgr_routing *routing, float *x_gradient, int accumulate);

#endif

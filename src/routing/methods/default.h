/* SPDX-License-Identifier: MIT */
/* Default MoE (Panda et al., NeurIPS 2025, arXiv 2504.12463): the router gets a dense gradient from sparse experts. An
 * expert that a token was not sent to is stood in for by its default output Ê_i, a running mean of what it gave:
 *
 *   y_t = Σ_i p_{t,i} · (E_i(x_t) if i ∈ TopK(p_t), else Ê_i),     p = softmax(l), not renormalised.
 *
 * One forward pass in training runs the selected experts, then updates
 *
 *   Ê_i ← β · Ê_i + (1 - β) · m_i,     m_i = mean of E_i(x_t) over the tokens that chose i,
 *
 * and uses the updated Ê. The mean is weighted by p_{t,i} with default_weighted, the paper's final variant. Ê starts at
 * zero; experts that nobody chose keep theirs. On the way back ∂y/∂p_i is E_i(x) or Ê_i, so every logit of every token
 * has a gradient; Ê itself is a constant. Evaluation uses Ê and leaves it alone.
 *
 * Micro-batches: the update belongs to the optimizer step, not to the pass. m_i is the mean over all micro-batches of
 * the step so far, and Ê_i the blend of it with Ê_i as of the start of the step. A batch that is not cut is the paper's
 * case; for one that is, Ê after the last micro-batch is what the whole batch would have given, whatever the number of
 * cuts, so that β keeps its meaning (updating once per micro-batch instead would forget β^micro-batches a step).
 * Earlier micro-batches can only use what has been seen by then. A pass in training when no gradient is held begins a
 * step.
 *
 * A mean that is not finite is not blended in: gradients of a failed step can be thrown away, Ê could not. Every choice
 * is computed; top-1 is the largest p. A router without experts has no use for Ê: it learns from its chosen gates. */
#ifndef TGR_ROUTING_DEFAULT_H
#define TGR_ROUTING_DEFAULT_H

#include "base/random.h"
#include "routing/routing.h"

/* Adds, to the linear router, the state "<prefix>router.default" [E, dim], Ê, and of the step under way
 * "<prefix>router.default_mean" [E, dim], m, and "<prefix>router.default_weight" [E], the weight behind each mean. */
tgr_status tgr_default_declare(tgr_routing *routing, const tgr_config *config, const char *prefix);
void tgr_default_plan(tgr_routing *routing, tgr_arena *arena, int64_t tokens);
void tgr_default_route(tgr_routing *routing, const tgr_random *random);
/* In TGR_TRAIN updates Ê; y as above. */
void tgr_default_combine(const tgr_routing *routing, int64_t dim, const float *output, float *y);
void tgr_default_combine_backward(tgr_routing *routing, int64_t dim, const float *y_gradient, float *output);
void tgr_default_backward(tgr_routing *routing);

#endif

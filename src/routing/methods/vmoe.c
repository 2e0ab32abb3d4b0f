/* SPDX-License-Identifier: MIT */
/* V-MoE (Riquelme et al., NeurIPS 2021, arXiv 2106.05974), sections 2 and 4 and appendix A:
 *
 *     l = W x,   q = softmax(l + ε)                 ε ~ Normal(0, 1/E²) in training, else 0       (softmax_gate.h)
 *     y = Σ_{e ∈ TopK(q)} q_e · expert_e(x)         of the choices within an expert's capacity    (capacity.h)
 *     loss: importance and load                     of p = softmax(l)                             (balance.h)
 *
 * Choices beyond the capacity are dropped; with batch_prioritized those with the largest gates are kept. */
#include "routing/methods/parts.h"

const tgr_method tgr_method_vmoe = {TGR_LINEAR_ROUTER, TGR_SOFTMAX_GATE, TGR_TOKEN_CHOICE,
                                    .losses = tgr_balance_losses};

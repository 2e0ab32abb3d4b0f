/* SPDX-License-Identifier: MIT */
/* TGR-MoE (Kada et al., CVPR 2026, arXiv 2604.21330): V-MoE's router without its losses, guided by a teacher.
 *
 *     q = softmax(W x + ε),   y = Σ_{e ∈ TopK(q)} q_e · expert_e(x)         as in vmoe.c
 *     loss: distill_weight · mean_t KL(p̄_t ‖ p_t)                          of all logits, chosen or not
 *
 * p̄ comes from outside (guidance.h; src/teacher has the teacher routers and their objective). V-MoE's balance losses
 * can be added; in the option table their weights are 0. */
#include "routing/methods/parts.h"

const tgr_method tgr_method_tgr = {TGR_LINEAR_ROUTER, TGR_SOFTMAX_GATE, TGR_TOKEN_CHOICE, .losses = tgr_balance_losses};

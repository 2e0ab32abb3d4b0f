/* SPDX-License-Identifier: MIT */
/* Switch Transformer (Fedus et al., JMLR 2022, arXiv 2101.03961), section 2: V-MoE's gate with K = 1, without noise,
 * and one loss.
 *
 *     p = softmax(W x),   e = argmax p,   y = p_e · expert_e(x)     within the capacity of e
 *     loss: switch_weight · E · Σ_e f_e · mean_t p_{t,e}            f_e the share of tokens that choose e
 *
 * What it has and lacks is set by defaults in the option table; K, noise and other losses can be added by options. */
#include "routing/methods/parts.h"

const tgr_method tgr_method_switch = {TGR_LINEAR_ROUTER, TGR_SOFTMAX_GATE, TGR_TOKEN_CHOICE,
                                      .losses = tgr_balance_losses};

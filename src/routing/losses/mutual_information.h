/* SPDX-License-Identifier: MIT */
/* The mutual information loss of DS-MoE (Pan et al., arXiv 2404.05567): experts used evenly, tokens decided.
 *
 *     -H(m) + mean_t H(p_t),   m = mean_t p_t,   H(p) = -Σ_e p_e ln p_e
 *
 * the negative mutual information of tokens and experts. Its gradient with respect to p_{t,e} is (ln m_e - ln p_{t,e})
 * / T, up to a constant per token, to which a softmax is blind. A probability of 0 contributes 0. */
#ifndef TGR_ROUTING_LOSSES_MUTUAL_INFORMATION_H
#define TGR_ROUTING_LOSSES_MUTUAL_INFORMATION_H

#include "routing/work.h"

void tgr_mutual_information_loss(const tgr_layer_router *router, const tgr_routing_pass *pass, const tgr_scores *scores,
                                 double weight, tgr_routing_work *work, tgr_losses *losses);

#endif

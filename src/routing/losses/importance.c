/* SPDX-License-Identifier: MIT */
/* V-MoE's importance loss (Riquelme et al., arXiv 2106.05974, appendix A; Shazeer et al., arXiv 1701.06538): CV² of the
 * experts' summed probabilities, taken without noise. */
#include "routing/losses/balance.h"

void tgr_importance_loss(tgr_routing *routing, double weight) {
    int64_t experts = routing->options.experts;
    tgr_sum_probabilities(routing, routing->sums);
    tgr_routing_add_term(routing, "importance", weight * tgr_squared_cv(routing->sums, experts, routing->factors));
    if (routing->mode != TGR_TRAIN) return;
    for (int64_t e = 0; e < experts; e++) routing->factors[e] *= weight;
    tgr_probability_sum_backward(routing, routing->factors);
}

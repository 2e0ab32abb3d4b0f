/* SPDX-License-Identifier: MIT */
/* Switch Transformer's balance loss (Fedus et al., arXiv 2101.03961, section 2.2): E · Σ_e f_e · P_e with f_e the share
 * of choices that fall on expert e, before capacity and a constant for the gradient, and P = mean_t p_t. */
#include <string.h>

#include "routing/losses/balance.h"

static void count_choices(const tgr_routing *routing, double *counts) {
    memset(counts, 0, (size_t)routing->options.experts * sizeof *counts);
    for (int64_t i = 0; i < routing->tokens * routing->options.top_k; i++) counts[routing->choices[i]] += 1;
}

void tgr_switch_loss(tgr_routing *routing, double weight) {
    int64_t experts = routing->options.experts;
    double tokens = (double)routing->tokens, choices = tokens * (double)routing->options.top_k, value = 0;
    tgr_sum_probabilities(routing, routing->sums);
    count_choices(routing, routing->factors);
    for (int64_t e = 0; e < experts; e++) {
        routing->factors[e] *= weight * (double)experts / (choices * tokens);
        value += routing->factors[e] * routing->sums[e];
    }
    tgr_routing_add_term(routing, "switch", value);
    if (routing->mode == TGR_TRAIN) tgr_probability_sum_backward(routing, routing->factors);
}

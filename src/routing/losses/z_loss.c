/* SPDX-License-Identifier: MIT */
/* The router z-loss (Zoph et al., arXiv 2202.08906, section 2.2): mean_t logsumexp(l_t)², against logits that drift. */
#include "routing/losses/balance.h"
#include "routing/slots/token_sum.h"

static void add_square(const tgr_routing *routing, int64_t token, const void *user, double *sum) {
    int64_t experts = routing->options.experts;
    double lse = tgr_log_sum_exp(routing->logits + token * experts, experts);
    (void)user;
    *sum += lse * lse;
}

/* `user`: weight / T. */
static void square_backward(const tgr_routing *routing, int64_t token, const void *user, double *sum) {
    int64_t experts = routing->options.experts;
    double factor = 2 * *(const double *)user * tgr_log_sum_exp(routing->logits + token * experts, experts);
    (void)sum;
    for (int64_t i = token * experts; i < (token + 1) * experts; i++)
        routing->logits_gradient[i] += (float)(factor * routing->probabilities[i]);
}

void tgr_z_loss(tgr_routing *routing, double weight) {
    double sum, share = weight / (double)routing->tokens;
    tgr_each_token(routing, add_square, NULL, 1, &sum);
    tgr_routing_add_term(routing, "z", share * sum);
    if (routing->mode == TGR_TRAIN) tgr_each_token(routing, square_backward, &share, 0, NULL);
}

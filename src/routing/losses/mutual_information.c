/* SPDX-License-Identifier: MIT */
/* The mutual information loss (Pan et al., arXiv 2404.05567): -H(mean_t p_t) + mean_t H(p_t), the negative
 * information that tokens and experts have of one another. With m = mean_t p_t its gradient is
 * ∂/∂p_{t,e} = (ln m_e - ln p_{t,e}) / T, up to what a softmax does not see. A probability of 0 counts 0. */
#include <math.h>

#include "routing/losses/balance.h"
#include "routing/slots/token_sum.h"

/* Σ_e p_e ln p_e of a token, added to the sum. */
static void add_certainty(const tgr_routing *routing, int64_t token, const void *user, double *sum) {
    int64_t experts = routing->options.experts;
    double lse = tgr_log_sum_exp(routing->logits + token * experts, experts);
    (void)user;
    for (int64_t i = token * experts; i < (token + 1) * experts; i++)
        if (routing->probabilities[i] != 0) *sum += routing->probabilities[i] * (routing->logits[i] - lse);
}

typedef struct mean_logs {
    const double *log_mean; /* [E], ln m */
    double share;           /* weight / T */
} mean_logs;

static void certainty_backward(const tgr_routing *routing, int64_t token, const void *user, double *sum) {
    const mean_logs *means = user;
    int64_t experts = routing->options.experts;
    const float *p = routing->probabilities + token * experts, *logits = routing->logits + token * experts;
    float *gradient = routing->logits_gradient + token * experts;
    double lse = tgr_log_sum_exp(logits, experts), average = 0;
    (void)sum;
    for (int64_t e = 0; e < experts; e++)
        if (p[e] != 0) average += p[e] * (means->log_mean[e] - (logits[e] - lse));
    for (int64_t e = 0; e < experts; e++)
        if (p[e] != 0) gradient[e] += (float)(means->share * p[e] * (means->log_mean[e] - (logits[e] - lse) - average));
}

void tgr_mutual_information_loss(tgr_routing *routing, double weight) {
    int64_t experts = routing->options.experts;
    double tokens = (double)routing->tokens, certainty, spread = 0; /* -H(p_t) summed, -H(m) */
    tgr_each_token(routing, add_certainty, NULL, 1, &certainty);
    tgr_sum_probabilities(routing, routing->sums);
    for (int64_t e = 0; e < experts; e++) {
        double mean = routing->sums[e] / tokens;
        routing->factors[e] = log(mean);
        if (mean != 0) spread += mean * routing->factors[e];
    }
    tgr_routing_add_term(routing, "mi", weight * (spread - certainty / tokens));
    mean_logs means = {.log_mean = routing->factors, .share = weight / tokens};
    if (routing->mode == TGR_TRAIN) tgr_each_token(routing, certainty_backward, &means, 0, NULL);
}

/* SPDX-License-Identifier: MIT */
/* Two entropies and their gradient. */
#include "routing/losses/mutual_information.h"

#include <math.h>

#include "routing/each.h"
#include "routing/losses/parts.h"

typedef struct information_job {
    int64_t experts;
    double share; /* weight / T */
    const tgr_scores *scores;
    const double *log_mean; /* [E], ln m */
    float *dlogits;         /* [T, E] */
} information_job;

/* Σ_e p_e ln p_e of a token, added to the sum. */
static void add_certainty(const void *data, int64_t token, double *sum) {
    const information_job *job = data;
    const float *p = job->scores->probabilities, *logits = job->scores->logits;
    double lse = tgr_log_sum_exp(logits + token * job->experts, job->experts);
    for (int64_t i = token * job->experts; i < (token + 1) * job->experts; i++)
        if (p[i] != 0) *sum += p[i] * (logits[i] - lse);
}

static void backward_token(const void *data, int64_t token) {
    const information_job *job = data;
    int64_t experts = job->experts;
    const float *p = job->scores->probabilities + token * experts, *logits = job->scores->logits + token * experts;
    float *dlogits = job->dlogits + token * experts;
    double lse = tgr_log_sum_exp(logits, experts), average = 0;
    for (int64_t e = 0; e < experts; e++)
        if (p[e] != 0) average += p[e] * (job->log_mean[e] - (logits[e] - lse));
    for (int64_t e = 0; e < experts; e++)
        if (p[e] != 0) dlogits[e] += (float)(job->share * p[e] * (job->log_mean[e] - (logits[e] - lse) - average));
}

void tgr_mutual_information_loss(const tgr_layer_router *router, const tgr_routing_pass *pass, const tgr_scores *scores,
                                 double weight, tgr_routing_work *work, tgr_losses *losses) {
    int64_t experts = router->options.experts;
    double tokens = (double)pass->tokens, certainty, spread = 0; /* Σ_t -H(p_t), and -H(m) */
    information_job job = {.experts = experts,
                           .share = weight / tokens,
                           .scores = scores,
                           .log_mean = work->factors,
                           .dlogits = losses->dlogits};
    tgr_sum_each(router->compute, pass->tokens, add_certainty, &job, 1, work->partial, &certainty);
    tgr_sum_probabilities(router, pass, scores, work, work->sums);
    for (int64_t e = 0; e < experts; e++) {
        double mean = work->sums[e] / tokens;
        work->factors[e] = log(mean);
        if (mean != 0) spread += mean * work->factors[e];
    }
    tgr_losses_add(losses, "mi", weight * (spread - certainty / tokens));
    if (pass->mode == TGR_TRAIN) tgr_each(router->compute, pass->tokens, backward_token, &job);
}

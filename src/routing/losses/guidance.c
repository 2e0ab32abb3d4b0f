/* SPDX-License-Identifier: MIT */
/* The divergence from a teacher and its gradient. */
#include "routing/losses/guidance.h"

#include <math.h>

#include "routing/each.h"
#include "routing/losses/parts.h"

typedef struct guidance_job {
    int64_t experts;
    const tgr_scores *scores;
    const float *teacher; /* [T, E] */
    double share;         /* weight / T */
    float *dlogits;       /* [T, E] */
} guidance_job;

static void add_divergence(const void *data, int64_t token, double *sum) {
    const guidance_job *job = data;
    const float *logits = job->scores->logits;
    double lse = tgr_log_sum_exp(logits + token * job->experts, job->experts);
    for (int64_t i = token * job->experts; i < (token + 1) * job->experts; i++) {
        double teacher = job->teacher[i];
        if (teacher != 0) *sum += teacher * (log(teacher) - (logits[i] - lse));
    }
}

double tgr_guidance_divergence(const tgr_layer_router *router, const tgr_routing_pass *pass, const tgr_scores *scores,
                               const float *teacher, tgr_routing_work *work) {
    guidance_job job = {.experts = router->options.experts, .scores = scores, .teacher = teacher};
    double sum;
    tgr_sum_each(router->compute, pass->tokens, add_divergence, &job, 1, work->partial, &sum);
    return sum / (double)pass->tokens;
}

static void backward_token(const void *data, int64_t token) {
    const guidance_job *job = data;
    for (int64_t i = token * job->experts; i < (token + 1) * job->experts; i++)
        job->dlogits[i] += (float)(job->share * (job->scores->probabilities[i] - (double)job->teacher[i]));
}

void tgr_guidance_backward(const tgr_layer_router *router, const tgr_routing_pass *pass, const tgr_scores *scores,
                           const float *teacher, double weight, float *dlogits) {
    if (weight == 0) return;
    guidance_job job = {.experts = router->options.experts,
                        .scores = scores,
                        .teacher = teacher,
                        .share = weight / (double)pass->tokens,
                        .dlogits = dlogits};
    tgr_each(router->compute, pass->tokens, backward_token, &job);
}

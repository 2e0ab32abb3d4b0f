/* SPDX-License-Identifier: MIT */
/* What the auxiliary losses share. */
#include "routing/losses/parts.h"

#include <math.h>
#include <string.h>

#include "base/assert.h"
#include "routing/each.h"

void tgr_losses_add(tgr_losses *losses, const char *name, double value) {
    TGR_ASSERT(losses->term_count < TGR_MAX_TERMS);
    losses->terms[losses->term_count++] = (tgr_term){name, value};
}

double tgr_squared_cv(const double *values, int64_t count, double *gradient) {
    double n = (double)count, mean = 0, variance = 0;
    for (int64_t i = 0; i < count; i++) mean += values[i] / n;
    for (int64_t i = 0; i < count; i++) variance += (values[i] - mean) * (values[i] - mean) / n;
    for (int64_t i = 0; i < count; i++) gradient[i] = 2 * ((values[i] - mean) - variance / mean) / (n * mean * mean);
    return variance / (mean * mean);
}

double tgr_log_sum_exp(const float *logits, int64_t count) {
    double most = logits[0], sum = 0;
    for (int64_t i = 1; i < count; i++) most = logits[i] > most ? logits[i] : most;
    for (int64_t i = 0; i < count; i++) sum += exp(logits[i] - most);
    return most + log(sum); /* cppcheck-suppress invalidFunctionArg; count is at least 1, so sum is */
}

void tgr_count_choices(const tgr_layer_router *router, const tgr_routing_pass *pass, const tgr_choices *choices,
                       double *counts) {
    memset(counts, 0, (size_t)router->options.experts * sizeof *counts);
    for (int64_t i = 0; i < pass->tokens * router->options.top_k; i++) counts[choices->experts[i]] += 1;
}

typedef struct sum_job {
    int64_t experts;
    const float *probabilities; /* [T, E] */
    const double *dsums;        /* [E] */
    float *dlogits;             /* [T, E] */
} sum_job;

static void add_probabilities(const void *data, int64_t token, double *sum) {
    const sum_job *job = data;
    for (int64_t e = 0; e < job->experts; e++) sum[e] += job->probabilities[token * job->experts + e];
}

void tgr_sum_probabilities(const tgr_layer_router *router, const tgr_routing_pass *pass, const tgr_scores *scores,
                           tgr_routing_work *work, double *sums) {
    int64_t experts = router->options.experts;
    sum_job job = {.experts = experts, .probabilities = scores->probabilities};
    tgr_sum_each(router->compute, pass->tokens, add_probabilities, &job, experts, work->partial, sums);
}

static void backward_token(const void *data, int64_t token) {
    const sum_job *job = data;
    const float *p = job->probabilities + token * job->experts;
    float *dlogits = job->dlogits + token * job->experts;
    double average = 0;
    for (int64_t e = 0; e < job->experts; e++) average += p[e] * job->dsums[e];
    for (int64_t e = 0; e < job->experts; e++) dlogits[e] += (float)(p[e] * (job->dsums[e] - average));
}

void tgr_sum_probabilities_backward(const tgr_layer_router *router, const tgr_routing_pass *pass,
                                    const tgr_scores *scores, const double *dsums, float *dlogits) {
    sum_job job = {
        .experts = router->options.experts, .probabilities = scores->probabilities, .dsums = dsums, .dlogits = dlogits};
    tgr_each(router->compute, pass->tokens, backward_token, &job);
}

/* SPDX-License-Identifier: MIT */
/* What the auxiliary losses share. */
#include "routing/losses/balance.h"

#include <math.h>

#include "routing/slots/token_sum.h"

void tgr_balance_losses(tgr_routing *routing) {
    const tgr_router_options *options = &routing->options;
    if (options->importance_weight > 0) tgr_importance_loss(routing, options->importance_weight);
    if (options->load_weight > 0) tgr_load_loss(routing, options->load_weight);
    if (options->switch_weight > 0) tgr_switch_loss(routing, options->switch_weight);
    if (options->z_weight > 0) tgr_z_loss(routing, options->z_weight);
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

static void add_probabilities(const tgr_routing *routing, int64_t token, const void *user, double *sum) {
    int64_t experts = routing->options.experts;
    (void)user;
    for (int64_t e = 0; e < experts; e++) sum[e] += routing->probabilities[token * experts + e];
}

void tgr_sum_probabilities(const tgr_routing *routing, double *sums) {
    tgr_each_token(routing, add_probabilities, NULL, routing->options.experts, sums);
}

static void probability_sum_backward(const tgr_routing *routing, int64_t token, const void *user, double *sum) {
    int64_t experts = routing->options.experts;
    const double *factors = user;
    const float *p = routing->probabilities + token * experts;
    float *gradient = routing->logits_gradient + token * experts;
    double average = 0;
    (void)sum;
    for (int64_t e = 0; e < experts; e++) average += p[e] * factors[e];
    for (int64_t e = 0; e < experts; e++) gradient[e] += (float)(p[e] * (factors[e] - average));
}

void tgr_probability_sum_backward(tgr_routing *routing, const double *factors) {
    tgr_each_token(routing, probability_sum_backward, factors, 0, NULL);
}

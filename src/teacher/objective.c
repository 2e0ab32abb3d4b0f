/* SPDX-License-Identifier: MIT */
/* The teacher router's objective and its analytic gradient. Sums are double, over blocks of tokens in fixed order. */
#include "teacher/objective.h"

#include <math.h>

#include "base/assert.h"
#include "base/context.h"
#include "kernels/parallel_rows.h"

#define BLOCK_TOKENS 256

int64_t tgr_objective_partial(int64_t tokens) {
    return tokens / BLOCK_TOKENS + (tokens % BLOCK_TOKENS != 0);
}

void tgr_objective_route(const tgr_router_batch *batch) {
    float *logits = batch->probabilities;
    tgr_linear_forward(&batch->router, batch->tokens, batch->features, logits, 0);
    tgr_softmax_rows(batch->compute, batch->tokens, batch->experts, 1.0f, logits, batch->probabilities, NULL);
}

/* Σ p log p of one token; an expert with probability 0 adds nothing. */
static double negative_entropy(const float *p, int64_t experts) {
    double sum = 0;
    for (int64_t e = 0; e < experts; e++)
        if (p[e] != 0) sum += p[e] * log((double)p[e]); /* NaN propagates to the sum */
    return sum;
}

typedef struct token_block {
    int64_t first, end;
} token_block;

static token_block block_at(const tgr_router_batch *batch, int64_t block) {
    int64_t first = block * BLOCK_TOKENS, left = batch->tokens - first;
    return (token_block){first, first + (left < BLOCK_TOKENS ? left : BLOCK_TOKENS)};
}

/* A row of `partial`: Σ_t p_te for each expert, then Σ_t Σ_e p_te log p_te. */
static void sum_task(void *data, int64_t task, int worker) {
    const tgr_router_batch *batch = data;
    const int64_t experts = batch->experts;
    const token_block block = block_at(batch, task);
    double *sum = batch->partial + task * (experts + 1);
    (void)worker;
    for (int64_t e = 0; e <= experts; e++) sum[e] = 0;
    for (int64_t t = block.first; t < block.end; t++) {
        const float *p = batch->probabilities + t * experts;
        for (int64_t e = 0; e < experts; e++) sum[e] += p[e];
        sum[experts] += negative_entropy(p, experts);
    }
}

/* Leaves the sums over all tokens in the first row of `partial`. */
static void sum_over_tokens(const tgr_router_batch *batch) {
    int64_t blocks = tgr_objective_partial(batch->tokens), columns = batch->experts + 1;
    tgr_parallel(batch->compute, blocks, sum_task, (void *)batch);
    for (int64_t b = 1; b < blocks; b++)
        for (int64_t c = 0; c < columns; c++) batch->partial[c] += batch->partial[b * columns + c];
}

/* mean_e Imp_e */
static double mean_importance(const tgr_router_batch *batch) {
    double sum = 0;
    for (int64_t e = 0; e < batch->experts; e++) sum += batch->partial[e] / (double)batch->tokens;
    TGR_ASSERT(!(fabs(sum - 1) > 1e-3)); /* it is 1 / experts up to rounding, or NaN */
    return sum / (double)batch->experts;
}

void tgr_objective_measure(const tgr_router_batch *batch, double *balance, double *entropy) {
    sum_over_tokens(batch);
    double tokens = (double)batch->tokens, mean = mean_importance(batch), variance = 0;
    for (int64_t e = 0; e < batch->experts; e++) {
        double difference = batch->partial[e] / tokens - mean;
        variance += difference * difference / (double)batch->experts;
    }
    *balance = variance / (mean * mean);
    *entropy = -batch->partial[batch->experts] / tokens;
}

/* With respect to the logits, with a_e = ∂CV²/∂Imp_e:
 *   ∂CV²/∂l_te = p_te (a_e - Σ_j p_tj a_j) / T        ∂H/∂l_te = -p_te (log p_te - Σ_j p_tj log p_tj) / T
 * The first row of `partial` holds the a_e. */
static void gradient_task(void *data, int64_t task, int worker) {
    const tgr_router_batch *batch = data;
    const int64_t experts = batch->experts;
    const token_block block = block_at(batch, task);
    const double *slope = batch->partial;
    const double load = batch->load_weight / (double)batch->tokens;
    const double sureness = batch->entropy_weight / (double)batch->tokens;
    (void)worker;
    for (int64_t t = block.first; t < block.end; t++) {
        const float *p = batch->probabilities + t * experts;
        float *dlogits = batch->dlogits + t * experts;
        double mean_slope = 0, mean_log = negative_entropy(p, experts);
        for (int64_t e = 0; e < experts; e++) mean_slope += p[e] * slope[e];
        for (int64_t e = 0; e < experts; e++) {
            double log_p = p[e] != 0 ? log((double)p[e]) : 0;
            dlogits[e] = (float)(p[e] * (load * (slope[e] - mean_slope) - sureness * (log_p - mean_log)));
        }
    }
}

void tgr_objective_differentiate(const tgr_router_batch *batch) {
    sum_over_tokens(batch);
    /* a_e = 2 (Imp_e - mean) / (E mean²). The mean does not depend on the weights, since each p_t sums to one. */
    double mean = mean_importance(batch);
    for (int64_t e = 0; e < batch->experts; e++) {
        double difference = batch->partial[e] / (double)batch->tokens - mean;
        batch->partial[e] = 2 * difference / ((double)batch->experts * mean * mean);
    }
    tgr_parallel(batch->compute, tgr_objective_partial(batch->tokens), gradient_task, (void *)batch);
    tgr_linear_backward(&batch->router, batch->tokens, batch->features, batch->dlogits, NULL, 0, NULL);
}

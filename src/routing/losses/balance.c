/* SPDX-License-Identifier: MIT */
/* Importance, load, Switch's loss, z. */
#include "routing/losses/balance.h"

#include <math.h>

#include "routing/each.h"
#include "routing/gates/topk.h"
#include "routing/losses/parts.h"

#define INVERSE_SQRT_2    0.70710678118654752440
#define INVERSE_SQRT_2_PI 0.39894228040143267794

static void importance_loss(const tgr_layer_router *router, const tgr_routing_pass *pass, const tgr_scores *scores,
                            tgr_routing_work *work, tgr_losses *losses) {
    int64_t experts = router->options.experts;
    double weight = router->options.importance_weight, *dsums = work->factors;
    tgr_sum_probabilities(router, pass, scores, work, work->sums);
    tgr_losses_add(losses, "importance", weight * tgr_squared_cv(work->sums, experts, dsums));
    if (pass->mode != TGR_TRAIN) return;
    for (int64_t e = 0; e < experts; e++) dsums[e] *= weight;
    tgr_sum_probabilities_backward(router, pass, scores, dsums, losses->dlogits);
}

typedef struct load_job {
    int64_t experts, top_k;
    const float *logits, *noisy; /* [T, E] */
    const double *dsums;         /* [E], gradient with respect to Σ_t P_t */
    float *dlogits;              /* [T, E] */
} load_job;

/* The expert whose noisy logit is τ. */
static int64_t threshold_expert(const load_job *job, int64_t token) {
    int64_t expert = -1;
    for (int64_t k = 0; k < job->top_k; k++)
        expert = tgr_next_largest(job->noisy + token * job->experts, job->experts, expert);
    return expert;
}

/* (τ_t - l_{t,e}) · E */
static double distance(const load_job *job, int64_t token, double threshold, int64_t expert) {
    return (threshold - job->logits[token * job->experts + expert]) * (double)job->experts;
}

static void add_selection(const void *data, int64_t token, double *sum) {
    const load_job *job = data;
    double threshold = job->noisy[token * job->experts + threshold_expert(job, token)];
    for (int64_t e = 0; e < job->experts; e++)
        sum[e] += 0.5 * erfc(distance(job, token, threshold, e) * INVERSE_SQRT_2);
}

/* ∂P_e/∂l_e = φ·E and ∂P_e/∂τ = -φ·E, where τ is one of the logits. */
static void selection_backward(const void *data, int64_t token) {
    const load_job *job = data;
    int64_t at_threshold = threshold_expert(job, token);
    double threshold = job->noisy[token * job->experts + at_threshold], own = 0, total = 0;
    float *dlogits = job->dlogits + token * job->experts;
    for (int64_t e = 0; e < job->experts; e++) {
        double z = distance(job, token, threshold, e);
        double change = job->dsums[e] * INVERSE_SQRT_2_PI * exp(-0.5 * z * z) * (double)job->experts;
        total += change;
        if (e == at_threshold)
            own = change;
        else
            dlogits[e] += (float)change;
    }
    dlogits[at_threshold] += (float)(own - total);
}

static void load_loss(const tgr_layer_router *router, const tgr_routing_pass *pass, const tgr_scores *scores,
                      const tgr_choices *choices, tgr_routing_work *work, tgr_losses *losses) {
    int64_t experts = router->options.experts;
    double weight = router->options.load_weight, *dsums = work->factors;
    load_job job = {.experts = experts,
                    .top_k = router->options.top_k,
                    .logits = scores->logits,
                    .noisy = choices->gate_logits,
                    .dsums = dsums,
                    .dlogits = losses->dlogits};
    tgr_sum_each(router->compute, pass->tokens, add_selection, &job, experts, work->partial, work->sums);
    tgr_losses_add(losses, "load", weight * tgr_squared_cv(work->sums, experts, dsums));
    if (pass->mode != TGR_TRAIN) return;
    for (int64_t e = 0; e < experts; e++) dsums[e] *= weight;
    tgr_each(router->compute, pass->tokens, selection_backward, &job);
}

static void switch_loss(const tgr_layer_router *router, const tgr_routing_pass *pass, const tgr_scores *scores,
                        const tgr_choices *choices, tgr_routing_work *work, tgr_losses *losses) {
    int64_t experts = router->options.experts;
    double tokens = (double)pass->tokens, all = tokens * (double)router->options.top_k, value = 0;
    double *dsums = work->factors;
    tgr_sum_probabilities(router, pass, scores, work, work->sums);
    tgr_count_choices(router, pass, choices, dsums);
    for (int64_t e = 0; e < experts; e++) {
        dsums[e] *= router->options.switch_weight * (double)experts / (all * tokens);
        value += dsums[e] * work->sums[e];
    }
    tgr_losses_add(losses, "switch", value);
    if (pass->mode == TGR_TRAIN) tgr_sum_probabilities_backward(router, pass, scores, dsums, losses->dlogits);
}

typedef struct z_job {
    int64_t experts;
    double share; /* weight / T */
    const tgr_scores *scores;
    float *dlogits; /* [T, E] */
} z_job;

static double log_sum_exp_of(const z_job *job, int64_t token) {
    return tgr_log_sum_exp(job->scores->logits + token * job->experts, job->experts);
}

static void add_square(const void *data, int64_t token, double *sum) {
    double lse = log_sum_exp_of(data, token);
    *sum += lse * lse;
}

/* dl = 2 · lse · p · weight / T */
static void square_backward(const void *data, int64_t token) {
    const z_job *job = data;
    double factor = 2 * job->share * log_sum_exp_of(job, token);
    for (int64_t i = token * job->experts; i < (token + 1) * job->experts; i++)
        job->dlogits[i] += (float)(factor * job->scores->probabilities[i]);
}

static void z_loss(const tgr_layer_router *router, const tgr_routing_pass *pass, const tgr_scores *scores,
                   tgr_routing_work *work, tgr_losses *losses) {
    double sum;
    z_job job = {.experts = router->options.experts,
                 .share = router->options.z_weight / (double)pass->tokens,
                 .scores = scores,
                 .dlogits = losses->dlogits};
    tgr_sum_each(router->compute, pass->tokens, add_square, &job, 1, work->partial, &sum);
    tgr_losses_add(losses, "z", job.share * sum);
    if (pass->mode == TGR_TRAIN) tgr_each(router->compute, pass->tokens, square_backward, &job);
}

void tgr_balance_losses(const tgr_layer_router *router, const tgr_routing_pass *pass, const tgr_scores *scores,
                        const tgr_choices *choices, tgr_routing_work *work, tgr_losses *losses) {
    const tgr_router_options *options = &router->options;
    if (options->importance_weight > 0) importance_loss(router, pass, scores, work, losses);
    if (options->load_weight > 0) load_loss(router, pass, scores, choices, work, losses);
    if (options->switch_weight > 0) switch_loss(router, pass, scores, choices, work, losses);
    if (options->z_weight > 0) z_loss(router, pass, scores, work, losses);
}

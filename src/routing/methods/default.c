/* SPDX-License-Identifier: MIT */
/* Default MoE (Panda et al., NeurIPS 2025, arXiv 2504.12463): the router gets a dense gradient from sparse experts. An
 * expert that a token was not sent to is replaced by its default output Ê_i, a running mean of its outputs:
 *
 *     y_t = Σ_i p_{t,i} · (E_i(x_t) if i ∈ TopK(p_t), else Ê_i),     p = softmax(l), not renormalised
 *
 * One forward pass in training runs the selected experts, then updates
 *
 *     Ê_i ← β · Ê_i + (1 - β) · m_i,     m_i = mean of E_i(x_t) over the tokens that chose i,
 *
 * and uses the updated Ê. The mean is weighted by p_{t,i} with default_weighted, the paper's final variant. Ê starts at
 * zero; experts that no token chose keep theirs. In backward dp_i is ⟨dy, E_i(x)⟩ or ⟨dy, Ê_i⟩, so every logit of every
 * token has a gradient; Ê itself is a constant. Evaluation uses Ê and leaves it alone.
 *
 * Micro-batches: the update belongs to the optimizer step, not to the pass. m_i is the mean over all micro-batches of
 * the step so far, and Ê_i the blend of it with Ê_i as of the start of the step. A batch that is not split is the
 * paper's case; if it is split, Ê after the last micro-batch is what the whole batch would have given, however it is
 * split, so that β keeps its meaning (updating once per micro-batch would forget by β^micro-batches per step). Earlier
 * micro-batches can only use what has been seen so far. A pass in training while no gradients are held begins a step.
 *
 * A mean that is not finite is not blended in: the gradients of a failed step can be discarded, Ê could not. No choice
 * is dropped; top-1 is the largest p. A router without experts does not use Ê: it learns from its chosen gates.
 *
 * The sum over the experts that a token was not sent to is one product of a [T, E] matrix that is zero where it was,
 * with Ê [E, dim]; in backward, one with Êᵀ. */
#include <float.h>
#include <math.h>
#include <string.h>

#include "base/status.h"
#include "kernels/linear_products.h"
#include "routing/each.h"
#include "routing/methods/parts.h"

/* Columns of a mean that one task sums up. */
#define MEAN_COLUMNS 64

typedef struct default_own {
    int64_t value, mean, weight; /* state tensors: Ê [E, dim]; for the current step m [E, dim] and its weight [E] */
    double beta;
    int weighted;
} default_own;

typedef struct default_work {
    float *by_expert;     /* [T, E]: in forward p, 0 where selected; in backward dp */
    double *batch_mean;   /* [E, dim], of this pass */
    double *batch_weight; /* [E]; 0 where no token chose the expert */
} default_work;

static tgr_status declare(tgr_layer_router *router, const tgr_config *config, const char *prefix) {
    default_own *own = router->own;
    int64_t experts = router->options.experts;
    const int64_t dims[] = {experts, router->shape.dim};
    const unsigned flag = TGR_TENSOR_STATE;
    own->beta = tgr_option_f64(config, TGR_OPTION_DEFAULT_BETA);
    own->weighted = (int)tgr_option_i64(config, TGR_OPTION_DEFAULT_WEIGHTED);
    TGR_TRY(tgr_linear_router_declare(router, config, prefix));
    TGR_TRY(tgr_layer_router_add(router, &own->value, prefix, "router.default", flag, 2, dims));
    TGR_TRY(tgr_layer_router_add(router, &own->mean, prefix, "router.default_mean", flag, 2, dims));
    return tgr_layer_router_add(router, &own->weight, prefix, "router.default_weight", flag, 1, dims);
}

static void plan(const tgr_layer_router *router, int64_t tokens, tgr_arena *arena, tgr_routing_work *work) {
    default_work *buffers = work->own;
    int64_t experts = router->options.experts;
    buffers->by_expert = tgr_arena_floats(arena, tokens, experts);
    buffers->batch_mean = tgr_arena_take(arena, experts, router->shape.dim, sizeof *buffers->batch_mean);
    buffers->batch_weight = tgr_arena_take(arena, experts, 1, sizeof *buffers->batch_weight);
}

/* Without experts there is no combine_backward, so only the gates have a gradient. */
static void route(const tgr_layer_router *router, const tgr_routing_pass *pass, const tgr_scores *scores,
                  tgr_routing_work *work, tgr_choices *choices) {
    default_work *buffers = work->own;
    tgr_softmax_gate(router, pass, scores, work, choices);
    memset(buffers->by_expert, 0, (size_t)(pass->tokens * router->options.experts) * sizeof *buffers->by_expert);
}

static int64_t column_pieces(int64_t dim) {
    return (dim + MEAN_COLUMNS - 1) / MEAN_COLUMNS;
}

typedef struct mean_job {
    const tgr_layer_router *router;
    const tgr_scores *scores;
    const tgr_slots *slots;
    const float *output;  /* [S, dim] */
    double *batch_mean;   /* [E, dim] */
    double *batch_weight; /* [E] */
} mean_job;

/* Some columns of one expert's mean, slots ascending. */
static void mean_task(void *data, int64_t task, int worker) {
    const mean_job *job = data;
    const default_own *own = job->router->own;
    int64_t dim = job->router->shape.dim, experts = job->router->options.experts;
    int64_t expert = task / column_pieces(dim), first = task % column_pieces(dim) * MEAN_COLUMNS;
    int64_t columns = dim - first < MEAN_COLUMNS ? dim - first : MEAN_COLUMNS;
    double sum[MEAN_COLUMNS] = {0}, total = 0;
    (void)worker;
    for (int64_t slot = job->slots->first_slot[expert]; slot < job->slots->first_slot[expert + 1]; slot++) {
        const float *row = job->output + slot * dim + first;
        int64_t token = job->slots->token_of_slot[slot];
        double weight = own->weighted ? job->scores->probabilities[token * experts + expert] : 1;
        for (int64_t i = 0; i < columns; i++) sum[i] += weight * row[i];
        total += weight;
    }
    for (int64_t i = 0; i < columns; i++) job->batch_mean[expert * dim + first + i] = sum[i] / total;
    if (first == 0) job->batch_weight[expert] = total;
}

static int all_fit(const double *values, int64_t count) {
    for (int64_t i = 0; i < count; i++)
        if (!(fabs(values[i]) <= FLT_MAX)) return 0;
    return 1;
}

typedef struct blend_job {
    int64_t dim;
    double beta;
    const double *batch_mean, *batch_weight; /* [E, dim], [E] */
    float *value, *mean, *weight;            /* [E, dim], [E, dim], [E] */
} blend_job;

/* Updates one expert's Ê by what this pass adds to the mean of the step. */
static void blend_task(void *data, int64_t expert, int worker) {
    const blend_job *job = data;
    const double *batch_mean = job->batch_mean + expert * job->dim;
    float *value = job->value + expert * job->dim, *mean = job->mean + expert * job->dim;
    float *weight = job->weight + expert;
    double added = job->batch_weight[expert], before = *weight > 0 ? *weight : 0, share = added / (before + added);
    (void)worker;
    if (!(added > 0) || !all_fit(batch_mean, job->dim)) return;
    for (int64_t i = 0; i < job->dim; i++) {
        double old = before > 0 ? mean[i] : value[i]; /* Ê holds β·Ê_start + (1 - β)·mean, or Ê_start */
        double change = share * (batch_mean[i] - old);
        value[i] = (float)(value[i] + (1 - job->beta) * change);
        mean[i] = (float)(old + change);
    }
    *weight = (float)(before + added);
}

static void observe(tgr_layer_router *router, const tgr_routing_pass *pass, const tgr_scores *scores,
                    const tgr_slots *slots, const float *output, tgr_routing_work *work) {
    const default_own *own = router->own;
    default_work *buffers = work->own;
    int64_t experts = router->options.experts, dim = router->shape.dim;
    mean_job means = {.router = router,
                      .scores = scores,
                      .slots = slots,
                      .output = output,
                      .batch_mean = buffers->batch_mean,
                      .batch_weight = buffers->batch_weight};
    blend_job blend = {.dim = dim,
                       .beta = own->beta,
                       .batch_mean = buffers->batch_mean,
                       .batch_weight = buffers->batch_weight,
                       .value = tgr_value(router->parameters, own->value),
                       .mean = tgr_value(router->parameters, own->mean),
                       .weight = tgr_value(router->parameters, own->weight)};
    if (pass->micro == 0) memset(blend.weight, 0, (size_t)experts * sizeof *blend.weight);
    tgr_parallel(router->compute, experts * column_pieces(dim), mean_task, &means);
    tgr_parallel(router->compute, experts, blend_task, &blend);
}

typedef struct token_job {
    int64_t experts, top_k;
    const tgr_choices *choices;
    const float *dgates; /* [T, K] */
    float *by_expert;    /* [T, E] */
    float *dlogits;      /* [T, E] */
} token_job;

static void leave_out_chosen(const void *data, int64_t token) {
    const token_job *job = data;
    float *rest = job->by_expert + token * job->experts;
    memcpy(rest, job->choices->gate_probabilities + token * job->experts, (size_t)job->experts * sizeof *rest);
    for (int64_t k = 0; k < job->top_k; k++) rest[job->choices->experts[token * job->top_k + k]] = 0;
}

/* y = Σ over the selected, then y += rest · Ê */
static void combine(const tgr_layer_router *router, const tgr_routing_pass *pass, const tgr_choices *choices,
                    const tgr_slots *slots, const float *output, tgr_routing_work *work, float *y) {
    const default_own *own = router->own;
    default_work *buffers = work->own;
    int64_t experts = router->options.experts;
    token_job job = {
        .experts = experts, .top_k = router->options.top_k, .choices = choices, .by_expert = buffers->by_expert};
    tgr_combine_tokens(router, pass, choices, slots, output, work, y);
    tgr_each(router->compute, pass->tokens, leave_out_chosen, &job);
    tgr_gemm defaults = tgr_product_dx(pass->tokens, router->shape.dim, experts, buffers->by_expert,
                                       tgr_value(router->parameters, own->value), y, 1);
    tgr_gemm_run(router->compute, &defaults, 1);
}

/* dp = dy · Êᵀ for all experts; those selected have dgates instead. */
static void combine_backward(const tgr_layer_router *router, const tgr_routing_pass *pass, const tgr_choices *choices,
                             const tgr_slots *slots, const float *dy, const float *output, tgr_routing_work *work,
                             float *dgates, float *doutput) {
    const default_own *own = router->own;
    default_work *buffers = work->own;
    tgr_gemm defaults = tgr_product_y(pass->tokens, router->shape.dim, router->options.experts, dy,
                                      tgr_value(router->parameters, own->value), NULL, buffers->by_expert);
    tgr_gemm_run(router->compute, &defaults, 1);
    tgr_combine_tokens_backward(router, pass, choices, slots, dy, output, work, dgates, doutput);
}

/* dl = p ⊙ (dp - Σ_e p_e · dp_e) */
static void backward_token(const void *data, int64_t token) {
    const token_job *job = data;
    int64_t experts = job->experts;
    const float *p = job->choices->gate_probabilities + token * experts;
    float *dp = job->by_expert + token * experts, *dlogits = job->dlogits + token * experts;
    double average = 0;
    for (int64_t choice = token * job->top_k; choice < (token + 1) * job->top_k; choice++)
        dp[job->choices->experts[choice]] = job->dgates[choice];
    for (int64_t e = 0; e < experts; e++) average += (double)p[e] * dp[e];
    for (int64_t e = 0; e < experts; e++) dlogits[e] += (float)(p[e] * (dp[e] - average));
}

static void route_backward(const tgr_layer_router *router, const tgr_routing_pass *pass, const tgr_choices *choices,
                           const tgr_slots *slots, const float *dgates, tgr_routing_work *work, float *dlogits) {
    default_work *buffers = work->own;
    token_job job = {.experts = router->options.experts,
                     .top_k = router->options.top_k,
                     .choices = choices,
                     .dgates = dgates,
                     .by_expert = buffers->by_expert,
                     .dlogits = dlogits};
    (void)slots;
    tgr_each(router->compute, pass->tokens, backward_token, &job);
}

const tgr_method tgr_method_default = {TGR_LINEAR_SCORES,
                                       TGR_TOKEN_SLOTS,
                                       .own_bytes = sizeof(default_own),
                                       .work_bytes = sizeof(default_work),
                                       .declare = declare,
                                       .initialise = tgr_linear_router_initialise,
                                       .plan = plan,
                                       .route = route,
                                       .losses = tgr_balance_losses,
                                       .observe = observe,
                                       .combine = combine,
                                       .combine_backward = combine_backward,
                                       .route_backward = route_backward};

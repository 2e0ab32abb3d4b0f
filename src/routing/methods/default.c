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
 * Micro-batches and machines: within a step each micro-batch blends its own mean with Ê as of the start of the step.
 * The step then moves Ê once, by the mean over all of them, from the sums that its gradient holds:
 *
 *     gradient of Ê_i += Σ_t w_t·E_i(x_t),   gradient of the weight_i += Σ_t w_t     over the tokens that chose i
 *
 * with w_t = p_{t,i} or 1. So how a batch is split does not matter to Ê, a host that averages gradients over machines
 * averages these, too, and a step that is refused leaves Ê alone. A batch that is not split is the paper's case.
 *
 * A mean that is not finite is left out. No choice is dropped; top-1 is the largest p. A router without experts does
 * not use Ê: it learns from its chosen gates.
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
    /* State tensors. */
    int64_t value;  /* [E, dim], Ê */
    int64_t weight; /* [E], Σ w behind the mean that moved it last */
    double beta;
    int weighted;
} default_own;

typedef struct default_work {
    float *by_expert;     /* [T, E]: in forward p, 0 where selected; in backward dp */
    float *blended;       /* [E, dim], Ê as this pass uses it in training */
    double *batch_sum;    /* [E, dim], Σ w·E_i(x) of this pass */
    double *batch_weight; /* [E], Σ w; 0 where no token chose the expert, or a sum is not finite */
} default_work;

static int all_fit(const double *values, int64_t count) {
    for (int64_t i = 0; i < count; i++)
        if (!(fabs(values[i]) <= FLT_MAX)) return 0;
    return 1;
}

/* Ê_i + (1 - β)·(m_i - Ê_i) */
static float blend(double beta, float value, double mean) {
    return (float)(value + (1 - beta) * (mean - value));
}

/* What a step does to Ê, tensor `value`, and to the weight, which was added right behind it. */
static void move(tgr_parameters *parameters, int64_t value, double beta) {
    const int64_t experts = parameters->tensors[value].dims[0], dim = parameters->tensors[value].dims[1];
    const float *sums = tgr_gradient(parameters, value), *weights = tgr_gradient(parameters, value + 1);
    float *values = tgr_value(parameters, value), *last_weights = tgr_value(parameters, value + 1);
    for (int64_t e = 0; e < experts; e++) {
        last_weights[e] = weights[e];
        if (!(weights[e] > 0)) continue;
        for (int64_t i = e * dim; i < (e + 1) * dim; i++) {
            double mean = (double)sums[i] / weights[e];
            if (isfinite(mean)) values[i] = blend(beta, values[i], mean);
        }
    }
}

static tgr_status declare(tgr_layer_router *router, const tgr_config *config, const char *prefix) {
    default_own *own = router->own;
    int64_t experts = router->options.experts;
    const int64_t dims[] = {experts, router->shape.dim};
    const unsigned flags = TGR_TENSOR_STATE | TGR_TENSOR_SUM;
    own->beta = tgr_option_f64(config, TGR_OPTION_DEFAULT_BETA);
    own->weighted = (int)tgr_option_i64(config, TGR_OPTION_DEFAULT_WEIGHTED);
    TGR_TRY(tgr_linear_router_declare(router, config, prefix));
    TGR_TRY(tgr_layer_router_add(router, &own->value, prefix, "router.default", flags, 2, dims));
    TGR_TRY(tgr_layer_router_add(router, &own->weight, prefix, "router.default_weight", flags, 1, dims));
    tgr_parameters_move_by(router->parameters, own->value, move, own->beta);
    return TGR_OK;
}

static void plan(const tgr_layer_router *router, int64_t tokens, tgr_arena *arena, tgr_routing_work *work) {
    default_work *buffers = work->own;
    int64_t experts = router->options.experts;
    buffers->by_expert = tgr_arena_floats(arena, tokens, experts);
    buffers->blended = tgr_arena_floats(arena, experts, router->shape.dim);
    buffers->batch_sum = tgr_arena_take(arena, experts, router->shape.dim, sizeof *buffers->batch_sum);
    buffers->batch_weight = tgr_arena_take(arena, experts, 1, sizeof *buffers->batch_weight);
}

/* Without experts there is no combine_backward, so only the gates have a gradient. */
static void route(const tgr_layer_router *router, const tgr_routing_pass *pass, const tgr_scores *scores,
                  tgr_routing_work *work, tgr_choices *choices) {
    default_work *buffers = work->own;
    tgr_softmax_gate(router, pass, scores, work, choices);
    memset(buffers->by_expert, 0, (size_t)(pass->tokens * router->options.experts) * sizeof *buffers->by_expert);
    memset(buffers->batch_weight, 0, (size_t)router->options.experts * sizeof *buffers->batch_weight);
}

static int64_t column_pieces(int64_t dim) {
    return (dim + MEAN_COLUMNS - 1) / MEAN_COLUMNS;
}

typedef struct sum_job {
    const tgr_layer_router *router;
    const tgr_scores *scores;
    const tgr_slots *slots;
    const float *output;  /* [S, dim] */
    double *batch_sum;    /* [E, dim] */
    double *batch_weight; /* [E] */
} sum_job;

/* Some columns of one expert's sum, slots ascending. */
static void sum_task(void *data, int64_t task, int worker) {
    const sum_job *job = data;
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
    for (int64_t i = 0; i < columns; i++) job->batch_sum[expert * dim + first + i] = sum[i];
    if (first == 0) job->batch_weight[expert] = total;
}

typedef struct blend_job {
    int64_t dim;
    double beta;
    const double *batch_sum; /* [E, dim] */
    double *batch_weight;    /* [E] */
    const float *value;      /* [E, dim], Ê */
    float *blended;          /* [E, dim] */
} blend_job;

/* One expert's Ê with the mean of this pass in it. */
static void blend_task(void *data, int64_t expert, int worker) {
    const blend_job *job = data;
    const double *sum = job->batch_sum + expert * job->dim;
    const float *value = job->value + expert * job->dim;
    float *blended = job->blended + expert * job->dim;
    double weight = job->batch_weight[expert];
    (void)worker;
    memcpy(blended, value, (size_t)job->dim * sizeof *blended);
    if (!(weight > 0) || !all_fit(sum, job->dim)) {
        job->batch_weight[expert] = 0;
        return;
    }
    for (int64_t i = 0; i < job->dim; i++) blended[i] = blend(job->beta, value[i], sum[i] / weight);
}

static void observe(const tgr_layer_router *router, const tgr_routing_pass *pass, const tgr_scores *scores,
                    const tgr_slots *slots, const float *output, tgr_routing_work *work) {
    const default_own *own = router->own;
    default_work *buffers = work->own;
    int64_t experts = router->options.experts, dim = router->shape.dim;
    sum_job sums = {.router = router,
                    .scores = scores,
                    .slots = slots,
                    .output = output,
                    .batch_sum = buffers->batch_sum,
                    .batch_weight = buffers->batch_weight};
    blend_job blends = {.dim = dim,
                        .beta = own->beta,
                        .batch_sum = buffers->batch_sum,
                        .batch_weight = buffers->batch_weight,
                        .value = tgr_value(router->parameters, own->value),
                        .blended = buffers->blended};
    (void)pass;
    tgr_parallel(router->compute, experts * column_pieces(dim), sum_task, &sums);
    tgr_parallel(router->compute, experts, blend_task, &blends);
}

/* Ê [E, dim] as the pass uses it. */
static const float *default_outputs(const tgr_layer_router *router, const tgr_routing_pass *pass,
                                    const tgr_routing_work *work) {
    const default_own *own = router->own;
    const default_work *buffers = work->own;
    return pass->mode == TGR_TRAIN ? buffers->blended : tgr_value(router->parameters, own->value);
}

static void finish(tgr_layer_router *router, const tgr_routing_pass *pass, const tgr_choices *choices,
                   const tgr_routing_work *work) {
    const default_own *own = router->own;
    const default_work *buffers = work->own;
    int64_t dim = router->shape.dim;
    float *sums = tgr_gradient(router->parameters, own->value),
          *weights = tgr_gradient(router->parameters, own->weight);
    (void)pass, (void)choices;
    for (int64_t e = 0; e < router->options.experts; e++) {
        if (!(buffers->batch_weight[e] > 0)) continue;
        for (int64_t i = e * dim; i < (e + 1) * dim; i++) sums[i] += (float)buffers->batch_sum[i];
        weights[e] += (float)buffers->batch_weight[e];
    }
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
    default_work *buffers = work->own;
    int64_t experts = router->options.experts;
    token_job job = {
        .experts = experts, .top_k = router->options.top_k, .choices = choices, .by_expert = buffers->by_expert};
    tgr_combine_tokens(router, pass, choices, slots, output, work, y);
    tgr_each(router->compute, pass->tokens, leave_out_chosen, &job);
    tgr_gemm defaults = tgr_product_dx(pass->tokens, router->shape.dim, experts, buffers->by_expert,
                                       default_outputs(router, pass, work), y, 1);
    tgr_gemm_run(router->compute, &defaults, 1);
}

/* dp = dy · Êᵀ for all experts; those selected have dgates instead. */
static void combine_backward(const tgr_layer_router *router, const tgr_routing_pass *pass, const tgr_choices *choices,
                             const tgr_slots *slots, const float *dy, const float *output, tgr_routing_work *work,
                             float *dgates, float *doutput) {
    default_work *buffers = work->own;
    tgr_gemm defaults = tgr_product_y(pass->tokens, router->shape.dim, router->options.experts, dy,
                                      default_outputs(router, pass, work), NULL, buffers->by_expert);
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
                                       .route_backward = route_backward,
                                       .finish = finish};

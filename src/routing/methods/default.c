/* SPDX-License-Identifier: MIT */
/* Default MoE in the order of a pass. The sum over the experts that a token was not sent to is one product of a
 * [T, E] matrix that is zero where it was, with Ê [E, dim]; on the way back, one with Êᵀ. */
#include "routing/methods/default.h"

#include <float.h>
#include <math.h>
#include <string.h>

#include "base/status.h"
#include "kernels/linear_products.h"
#include "routing/gates/linear_router.h"
#include "routing/gates/softmax_gate.h"
#include "routing/slots/dispatch.h"
#include "routing/slots/token_sum.h"

/* Columns of a mean that one task sums up. */
#define MEAN_COLUMNS 64

typedef struct default_state {
    int64_t value, mean, weight; /* tensors [E, dim], [E, dim], [E] */
    double beta;
    int weighted;
    float *rest;          /* [T, E]: forward, p or 0 where selected; on the way back, ∂L/∂p */
    double *batch_mean;   /* [E, dim], of this pass */
    double *batch_weight; /* [E]; 0 where nobody chose the expert */
} default_state;

tgr_status tgr_default_declare(tgr_routing *routing, const tgr_config *config, const char *prefix) {
    int64_t experts = routing->options.experts;
    const int64_t dims[] = {experts, routing->shape.dim};
    const unsigned flag = TGR_TENSOR_STATE;
    TGR_TRY(tgr_linear_router_declare(routing, config, prefix));
    TGR_TRY(tgr_routing_keep(routing, sizeof(default_state)));
    default_state *state = routing->method_state;
    state->beta = tgr_option_f64(config, TGR_OPTION_DEFAULT_BETA);
    state->weighted = (int)tgr_option_i64(config, TGR_OPTION_DEFAULT_WEIGHTED);
    TGR_TRY(tgr_routing_declare(routing, &state->value, prefix, "router.default", flag, 2, dims));
    TGR_TRY(tgr_routing_declare(routing, &state->mean, prefix, "router.default_mean", flag, 2, dims));
    return tgr_routing_declare(routing, &state->weight, prefix, "router.default_weight", flag, 1, dims);
}

void tgr_default_plan(tgr_routing *routing, tgr_arena *arena, int64_t tokens) {
    default_state *state = routing->method_state;
    int64_t experts = routing->options.experts;
    state->rest = tgr_arena_floats(arena, tokens, experts);
    state->batch_mean = tgr_arena_take(arena, experts, routing->shape.dim, sizeof *state->batch_mean);
    state->batch_weight = tgr_arena_take(arena, experts, 1, sizeof *state->batch_weight);
}

void tgr_default_route(tgr_routing *routing, const tgr_random *random) {
    const default_state *state = routing->method_state;
    tgr_softmax_gate(routing, random);
    /* For a router without experts, which never gets to combine. */
    memset(state->rest, 0, (size_t)(routing->tokens * routing->options.experts) * sizeof *state->rest);
}

static int64_t column_pieces(int64_t dim) {
    return (dim + MEAN_COLUMNS - 1) / MEAN_COLUMNS;
}

typedef struct mean_job {
    const tgr_routing *routing;
    const float *output; /* [slots, dim] */
} mean_job;

/* Some columns of one expert's mean, slots ascending. */
static void mean_task(void *data, int64_t task, int worker) {
    const mean_job *job = data;
    const tgr_routing *routing = job->routing;
    const default_state *state = routing->method_state;
    int64_t dim = routing->shape.dim, experts = routing->options.experts;
    int64_t expert = task / column_pieces(dim), first = task % column_pieces(dim) * MEAN_COLUMNS;
    int64_t columns = dim - first < MEAN_COLUMNS ? dim - first : MEAN_COLUMNS;
    double sum[MEAN_COLUMNS] = {0}, total = 0;
    (void)worker;
    for (int64_t slot = routing->first_slot[expert]; slot < routing->first_slot[expert + 1]; slot++) {
        const float *row = job->output + slot * dim + first;
        double weight = state->weighted ? routing->probabilities[routing->token_of_slot[slot] * experts + expert] : 1;
        for (int64_t i = 0; i < columns; i++) sum[i] += weight * row[i];
        total += weight;
    }
    for (int64_t i = 0; i < columns; i++) state->batch_mean[expert * dim + first + i] = sum[i] / total;
    if (first == 0) state->batch_weight[expert] = total;
}

static int all_fit(const double *values, int64_t count) {
    for (int64_t i = 0; i < count; i++)
        if (!(fabs(values[i]) <= FLT_MAX)) return 0;
    return 1;
}

/* One expert's Ê, moved by what this pass adds to the mean of the step. */
static void blend_task(void *data, int64_t expert, int worker) {
    const tgr_routing *routing = ((const mean_job *)data)->routing;
    const default_state *state = routing->method_state;
    int64_t dim = routing->shape.dim;
    const double *batch_mean = state->batch_mean + expert * dim;
    float *value = tgr_value(routing->parameters, state->value) + expert * dim;
    float *mean = tgr_value(routing->parameters, state->mean) + expert * dim;
    float *weight = tgr_value(routing->parameters, state->weight) + expert;
    double added = state->batch_weight[expert], before = *weight > 0 ? *weight : 0, share = added / (before + added);
    (void)worker;
    if (!(added > 0) || !all_fit(batch_mean, dim)) return;
    for (int64_t i = 0; i < dim; i++) {
        double old = before > 0 ? mean[i] : value[i]; /* Ê holds β·Ê_start + (1 - β)·mean, or Ê_start */
        double change = share * (batch_mean[i] - old);
        value[i] = (float)(value[i] + (1 - state->beta) * change);
        mean[i] = (float)(old + change);
    }
    *weight = (float)(before + added);
}

static void update(const tgr_routing *routing, const float *output) {
    const default_state *state = routing->method_state;
    int64_t experts = routing->options.experts;
    mean_job job = {.routing = routing, .output = output};
    if (routing->parameters->micro == 0)
        memset(tgr_value(routing->parameters, state->weight), 0, (size_t)experts * sizeof(float));
    tgr_parallel(routing->compute, experts * column_pieces(routing->shape.dim), mean_task, &job);
    tgr_parallel(routing->compute, experts, blend_task, &job);
}

static void leave_out_chosen(const tgr_routing *routing, int64_t token, const void *user, double *sum) {
    const default_state *state = routing->method_state;
    int64_t experts = routing->options.experts, top_k = routing->options.top_k;
    float *rest = state->rest + token * experts;
    (void)user, (void)sum;
    memcpy(rest, routing->gate_probabilities + token * experts, (size_t)experts * sizeof *rest);
    for (int64_t k = 0; k < top_k; k++) rest[routing->choices[token * top_k + k]] = 0;
}

void tgr_default_combine(const tgr_routing *routing, int64_t dim, const float *output, float *y) {
    const default_state *state = routing->method_state;
    int64_t experts = routing->options.experts;
    const float *value = tgr_value(routing->parameters, state->value);
    if (routing->mode == TGR_TRAIN && !routing->again) update(routing, output);
    tgr_combine_tokens(routing, dim, output, y);
    tgr_each_token(routing, leave_out_chosen, NULL, 0, NULL);
    tgr_gemm defaults = tgr_linear_input_gradient(routing->tokens, dim, experts, state->rest, value, y, 1);
    tgr_gemm_run(routing->compute, &defaults, 1); /* y += rest · Ê */
}

void tgr_default_combine_backward(tgr_routing *routing, int64_t dim, const float *y_gradient, float *output) {
    const default_state *state = routing->method_state;
    int64_t experts = routing->options.experts;
    const float *value = tgr_value(routing->parameters, state->value);
    tgr_gemm defaults = tgr_linear_output(routing->tokens, dim, experts, y_gradient, value, NULL, state->rest);
    tgr_gemm_run(routing->compute, &defaults, 1); /* ⟨∂L/∂y, Ê_i⟩ */
    tgr_combine_tokens_backward(routing, dim, y_gradient, output);
}

/* ∂L/∂l = p ⊙ (∂L/∂p - Σ_e p_e · ∂L/∂p_e), where ∂L/∂p_i = ⟨∂L/∂y, E_i(x)⟩ if i was selected, else ⟨∂L/∂y, Ê_i⟩. */
static void backward_token(const tgr_routing *routing, int64_t token, const void *user, double *sum) {
    const default_state *state = routing->method_state;
    int64_t experts = routing->options.experts, top_k = routing->options.top_k;
    const float *p = routing->gate_probabilities + token * experts;
    float *gradient = state->rest + token * experts, *logits_gradient = routing->logits_gradient + token * experts;
    double average = 0;
    (void)user, (void)sum;
    for (int64_t choice = token * top_k; choice < (token + 1) * top_k; choice++)
        gradient[routing->choices[choice]] = routing->gates_gradient[choice];
    for (int64_t e = 0; e < experts; e++) average += (double)p[e] * gradient[e];
    for (int64_t e = 0; e < experts; e++) logits_gradient[e] += (float)(p[e] * (gradient[e] - average));
}

void tgr_default_backward(tgr_routing *routing) {
    tgr_each_token(routing, backward_token, NULL, 0, NULL);
}

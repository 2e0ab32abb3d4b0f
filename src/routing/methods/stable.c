/* SPDX-License-Identifier: MIT */
/* StableMoE's two stages. */
#include "routing/methods/stable.h"

#include <math.h>

#include "base/initialise.h"
#include "base/status.h"
#include "base/step_share.h"
#include "kernels/linear_products.h"
#include "kernels/parallel_rows.h"
#include "routing/gates/linear_router.h"
#include "routing/gates/topk.h"
#include "routing/methods/stable_router.h"
#include "routing/slots/token_sum.h"

typedef struct stable_state {
    tgr_distilled_router distilled;
    double balance_weight, distill_weight;
    uint64_t stage2;     /* its first step */
    int learning;        /* whether the last batch was one of training in stage 1 */
    float *other_scores; /* [T, E]: ŝ while learning, else s; routing->logits has those that choose */
} stable_state;

static uint64_t first_step_of_stage2(const tgr_config *config) {
    double share = tgr_option_f64(config, TGR_OPTION_STABLE_STAGE1);
    int64_t total = tgr_option_i64(config, TGR_OPTION_TOTAL_STEPS);
    if (share == 0) return 0;
    return total == 0 ? TGR_NEVER_FROZEN : tgr_step_of_share(share, total);
}

tgr_status tgr_stable_declare(tgr_routing *routing, const tgr_config *config, const char *prefix) {
    TGR_TRY(tgr_routing_keep(routing, sizeof(stable_state)));
    stable_state *state = routing->method_state;
    state->balance_weight = tgr_option_f64(config, TGR_OPTION_STABLE_BALANCE_WEIGHT);
    state->distill_weight = tgr_option_f64(config, TGR_OPTION_STABLE_DISTILL_WEIGHT);
    state->stage2 = first_step_of_stage2(config);
    TGR_TRY(tgr_routing_declare(routing, &routing->router_weight, prefix, "router.centroids", 0, 2,
                                (const int64_t[]){routing->options.experts, routing->shape.dim}));
    return tgr_distilled_router_declare(&state->distilled, routing, prefix,
                                        tgr_option_i64(config, TGR_OPTION_STABLE_WIDTH), state->stage2);
}

void tgr_stable_initialise(tgr_routing *routing) {
    const stable_state *state = routing->method_state;
    tgr_initialise_orthogonal(routing->parameters, routing->router_weight, TGR_STABLE_GAIN);
    tgr_distilled_router_initialise(&state->distilled, routing);
}

void tgr_stable_plan(tgr_routing *routing, tgr_arena *arena, int64_t tokens) {
    stable_state *state = routing->method_state;
    state->other_scores = tgr_arena_floats(arena, tokens, routing->options.experts);
    tgr_distilled_router_plan(&state->distilled, routing, arena, tokens);
}

/* s [T, E] of the last batch. */
static float *learned_scores(const tgr_routing *routing) {
    const stable_state *state = routing->method_state;
    return state->learning ? routing->logits : state->other_scores;
}

/* ŝ [T, E] of the last batch. */
static float *distilled_scores(const tgr_routing *routing) {
    const stable_state *state = routing->method_state;
    return state->learning ? state->other_scores : routing->logits;
}

void tgr_stable_score(tgr_routing *routing) {
    stable_state *state = routing->method_state;
    int64_t tokens = routing->tokens, experts = routing->options.experts;
    state->learning = routing->mode == TGR_TRAIN && routing->parameters->step < state->stage2;
    tgr_gemm learned =
        tgr_linear_output(tokens, routing->shape.dim, experts, routing->input.x,
                          tgr_value(routing->parameters, routing->router_weight), NULL, learned_scores(routing));
    tgr_gemm_run(routing->compute, &learned, 1);
    tgr_distilled_router_score(&state->distilled, routing, distilled_scores(routing));
    tgr_softmax_rows(routing->compute, tokens, experts, 1.0f, routing->logits, routing->probabilities, NULL);
}

static void choose(const tgr_routing *routing, int64_t token, const void *user, double *sum) {
    int64_t experts = routing->options.experts;
    (void)user, (void)sum;
    tgr_top_k(routing->logits + token * experts, experts, 1, &routing->choices[token]);
    double score = learned_scores(routing)[token * experts + routing->choices[token]];
    routing->gates[token] = (float)(1 / (1 + exp(-score)));
}

void tgr_stable_route(tgr_routing *routing, const tgr_random *random) {
    (void)random;
    routing->gate_logits = routing->logits;
    routing->gate_probabilities = routing->probabilities;
    tgr_each_token(routing, choose, NULL, 0, NULL);
}

static void add_gate(const tgr_routing *routing, int64_t token, const void *user, double *sum) {
    (void)user;
    sum[routing->choices[token]] += routing->gates[token];
}

/* σ' of the score that a token's gate comes from. */
static double gate_slope(const tgr_routing *routing, int64_t token) {
    return (double)routing->gates[token] * (1 - (double)routing->gates[token]);
}

/* `user`: what the loss asks of the gates of each expert's tokens [E]. */
static void balance_backward(const tgr_routing *routing, int64_t token, const void *user, double *sum) {
    const double *factors = user;
    int64_t choice = routing->choices[token];
    (void)sum;
    routing->logits_gradient[token * routing->options.experts + choice] +=
        (float)(factors[choice] * gate_slope(routing, token));
}

/* Nothing is dropped, so |A_i| is the load. */
static void balance_loss(tgr_routing *routing, double weight) {
    int64_t experts = routing->options.experts;
    double tokens = (double)routing->tokens, even = tokens / (double)experts, value = 0;
    tgr_each_token(routing, add_gate, NULL, experts, routing->sums);
    for (int64_t e = 0; e < experts; e++) {
        routing->factors[e] = weight / tokens * ((double)routing->load[e] - even) / even;
        value += routing->factors[e] * routing->sums[e];
    }
    tgr_routing_add_term(routing, "stable_balance", value);
    tgr_each_token(routing, balance_backward, routing->factors, 0, NULL);
}

void tgr_stable_losses(tgr_routing *routing) {
    const stable_state *state = routing->method_state;
    if (!state->learning) return;
    if (state->balance_weight > 0) balance_loss(routing, state->balance_weight);
    if (state->distill_weight > 0)
        tgr_routing_add_term(
            routing, "stable_distill",
            tgr_distilled_router_imitate(&state->distilled, routing, distilled_scores(routing), state->distill_weight));
}

static void gate_backward(const tgr_routing *routing, int64_t token, const void *user, double *sum) {
    (void)user, (void)sum;
    routing->logits_gradient[token * routing->options.experts + routing->choices[token]] +=
        (float)(routing->gates_gradient[token] * gate_slope(routing, token));
}

void tgr_stable_gate_backward(tgr_routing *routing) {
    tgr_each_token(routing, gate_backward, NULL, 0, NULL);
}

void tgr_stable_score_backward(tgr_routing *routing, float *x_gradient, int accumulate) {
    const stable_state *state = routing->method_state;
    tgr_linear_router_backward(routing, x_gradient, accumulate);
    if (state->learning && state->distill_weight > 0) tgr_distilled_router_backward(&state->distilled, routing);
}

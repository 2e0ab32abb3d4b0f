/* SPDX-License-Identifier: MIT */
/* Routing with a bias that follows the loads.
 *
 * A step's loads wait in router.load until a pass sees that the step was taken. Evaluation may be the first to see it:
 * it uses the bias that follows, and leaves the tensors to the next pass in training. */
#include "routing/methods/loss_free.h"

#include <math.h>
#include <string.h>

#include "base/status.h"
#include "routing/gates/linear_router.h"
#include "routing/gates/topk.h"
#include "routing/slots/token_sum.h"

typedef struct loss_free_state {
    int64_t bias, load; /* tensors [E] and [E + 1] */
    double rate;
    float *now;    /* [E], b of this pass */
    float *scores; /* [T, E], p + b */
} loss_free_state;

tgr_status tgr_loss_free_declare(tgr_routing *routing, const tgr_config *config, const char *prefix) {
    int64_t experts = routing->options.experts, numbers = experts + 1;
    TGR_TRY(tgr_linear_router_declare(routing, config, prefix));
    TGR_TRY(tgr_routing_keep(routing, sizeof(loss_free_state)));
    loss_free_state *state = routing->method_state;
    state->rate = tgr_option_f64(config, TGR_OPTION_BIAS_RATE);
    TGR_TRY(tgr_routing_declare(routing, &state->bias, prefix, "router.bias", TGR_TENSOR_STATE, 1, &experts));
    return tgr_routing_declare(routing, &state->load, prefix, "router.load", TGR_TENSOR_STATE, 1, &numbers);
}

void tgr_loss_free_plan(tgr_routing *routing, tgr_arena *arena, int64_t tokens) {
    loss_free_state *state = routing->method_state;
    state->now = tgr_arena_floats(arena, routing->options.experts, 1);
    state->scores = tgr_arena_floats(arena, tokens, routing->options.experts);
}

/* Steps as numbers that a float32 holds exactly. */
static float step_number(const tgr_routing *routing) {
    return (float)(routing->parameters->step & 0xffffff);
}

/* b as it is now: with the move that a step taken since asks for, which training makes lasting. */
static void find_bias(tgr_routing *routing) {
    const loss_free_state *state = routing->method_state;
    int64_t experts = routing->options.experts;
    float *bias = tgr_value(routing->parameters, state->bias), *load = tgr_value(routing->parameters, state->load);
    double mean = 0;
    memcpy(state->now, bias, (size_t)experts * sizeof *bias);
    if (load[experts] == step_number(routing)) return;
    for (int64_t e = 0; e < experts; e++) mean += load[e];
    mean /= (double)experts;
    for (int64_t e = 0; e < experts; e++) /* all loads 0: nothing moves */
        state->now[e] += (float)(state->rate * ((mean > load[e]) - (mean < load[e])));
    if (routing->mode != TGR_TRAIN) return;
    memcpy(bias, state->now, (size_t)experts * sizeof *bias);
    load[experts] = step_number(routing);
}

static void choose(const tgr_routing *routing, int64_t token, const void *user, double *sum) {
    const loss_free_state *state = routing->method_state;
    int64_t experts = routing->options.experts, top_k = routing->options.top_k;
    const float *p = routing->gate_probabilities + token * experts;
    const float *bias = user; /* [E], or NULL for none */
    float *scores = state->scores + token * experts, *gates = routing->gates + token * top_k, total = 0;
    int32_t *choices = routing->choices + token * top_k;
    (void)sum;
    for (int64_t e = 0; e < experts; e++) scores[e] = p[e] + (bias != NULL ? bias[e] : 0);
    tgr_top_k(scores, experts, top_k, choices);
    for (int64_t k = 0; k < top_k; k++) {
        gates[k] = p[choices[k]];
        total += gates[k];
    }
    if (routing->options.renormalize)
        for (int64_t k = 0; k < top_k; k++) gates[k] /= total;
}

void tgr_loss_free_route(tgr_routing *routing, const tgr_random *random) {
    const loss_free_state *state = routing->method_state;
    int oracle = routing->mode == TGR_EVAL && routing->override != NULL;
    (void)random;
    find_bias(routing);
    routing->gate_logits = routing->logits;
    routing->gate_probabilities = oracle ? routing->override : routing->probabilities;
    tgr_each_token(routing, choose, oracle ? NULL : state->now, 0, NULL);
}

void tgr_loss_free_finish(tgr_routing *routing) {
    const loss_free_state *state = routing->method_state;
    float *load = tgr_value(routing->parameters, state->load);
    /* The first of a step: what an abandoned one left, whose gradients were thrown away, does not count. */
    if (routing->parameters->micro == 0) memset(load, 0, (size_t)routing->options.experts * sizeof *load);
    for (int64_t i = 0; i < routing->tokens * routing->options.top_k; i++) load[routing->choices[i]] += 1;
}

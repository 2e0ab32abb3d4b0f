/* SPDX-License-Identifier: MIT */
/* Balanced assignment in training, the best expert in evaluation, a sigmoid gate. */
#include "routing/methods/base.h"

#include <math.h>

#include "base/initialise.h"
#include "base/status.h"
#include "routing/gates/linear_router.h"
#include "routing/gates/topk.h"
#include "routing/slots/balanced_assignment.h"
#include "routing/slots/token_sum.h"

#define MOST_EXPERTS  512 /* a search among experts takes time in E² */
#define CENTROID_GAIN 0.1

tgr_status tgr_base_layer_declare(tgr_routing *routing, const tgr_config *config, const char *prefix) {
    TGR_REQUIRE(routing->options.experts <= MOST_EXPERTS, TGR_ERROR_RANGE,
                "option 'experts' is %lld; method 'base' allows at most %d", (long long)routing->options.experts,
                MOST_EXPERTS);
    TGR_TRY(tgr_routing_keep(routing, sizeof(tgr_balanced_assignment)));
    return tgr_linear_router_declare(routing, config, prefix);
}

void tgr_base_layer_initialise(tgr_routing *routing) {
    tgr_initialise_orthogonal(routing->parameters, routing->router_weight, CENTROID_GAIN);
}

void tgr_base_layer_plan(tgr_routing *routing, tgr_arena *arena, int64_t tokens) {
    tgr_balanced_assignment_plan(routing->method_state, arena, tokens, routing->options.experts);
}

static void choose_best(const tgr_routing *routing, int64_t token, const void *user, double *sum) {
    int64_t experts = routing->options.experts;
    (void)user, (void)sum;
    tgr_top_k(routing->logits + token * experts, experts, 1, &routing->choices[token]);
}

static void open_gate(const tgr_routing *routing, int64_t token, const void *user, double *sum) {
    double score = routing->logits[token * routing->options.experts + routing->choices[token]];
    (void)user, (void)sum;
    routing->gates[token] = (float)(1 / (1 + exp(-score)));
}

void tgr_base_layer_route(tgr_routing *routing, const tgr_random *random) {
    (void)random;
    routing->gate_logits = routing->logits;
    routing->gate_probabilities = routing->probabilities;
    if (routing->mode == TGR_TRAIN)
        tgr_assign_balanced(routing->method_state, routing->tokens, routing->logits, routing->choices);
    else
        tgr_each_token(routing, choose_best, NULL, 0, NULL);
    tgr_each_token(routing, open_gate, NULL, 0, NULL);
}

static void backward_token(const tgr_routing *routing, int64_t token, const void *user, double *sum) {
    float gate = routing->gates[token];
    (void)user, (void)sum;
    routing->logits_gradient[token * routing->options.experts + routing->choices[token]] +=
        routing->gates_gradient[token] * gate * (1 - gate);
}

void tgr_base_layer_backward(tgr_routing *routing) {
    tgr_each_token(routing, backward_token, NULL, 0, NULL);
}

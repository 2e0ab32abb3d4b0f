/* SPDX-License-Identifier: MIT */
/* Routing by position. */
#include "routing/methods/hash.h"

#include <string.h>

#include "base/initialise.h"
#include "base/status.h"
#include "routing/slots/token_sum.h"

typedef struct hash_state {
    int64_t table; /* tensor [sequence], experts */
} hash_state;

static float *table_of(const tgr_routing *routing) {
    const hash_state *state = routing->method_state;
    return tgr_value(routing->parameters, state->table);
}

tgr_status tgr_hash_declare(tgr_routing *routing, const tgr_config *config, const char *prefix) {
    int64_t sequence = routing->shape.sequence;
    (void)config;
    TGR_REQUIRE(sequence > 0, TGR_ERROR_UNSUPPORTED,
                "method 'hash' routes by a token's place in its image; it works within a model only");
    TGR_TRY(tgr_routing_keep(routing, sizeof(hash_state)));
    hash_state *state = routing->method_state;
    return tgr_routing_declare(routing, &state->table, prefix, "router.hash", TGR_TENSOR_STATE, 1, &sequence);
}

/* Dealing in turn and then shuffling the positions (Fisher and Yates) is the same as dealing to shuffled positions. */
void tgr_hash_initialise(tgr_routing *routing) {
    const hash_state *state = routing->method_state;
    const tgr_random random = tgr_initialise_stream(routing->parameters, state->table);
    float *table = table_of(routing);
    for (int64_t i = 0; i < routing->shape.sequence; i++) table[i] = (float)(i % routing->options.experts);
    for (int64_t i = routing->shape.sequence - 1; i > 0; i--) {
        int64_t other = (int64_t)(tgr_random_uniform(&random, (uint64_t)i) * (double)(i + 1));
        float swapped = table[i];
        table[i] = table[other];
        table[other] = swapped;
    }
}

/* The expert of a token. A table from elsewhere may hold anything: what is no expert counts as the first. */
static int64_t expert_of(const tgr_routing *routing, int64_t token) {
    float expert = table_of(routing)[token % routing->sequence];
    return expert >= 0 && expert < (float)routing->options.experts ? (int64_t)expert : 0;
}

static void score_token(const tgr_routing *routing, int64_t token, const void *user, double *sum) {
    int64_t experts = routing->options.experts;
    float *probabilities = routing->probabilities + token * experts;
    (void)user, (void)sum;
    memset(routing->logits + token * experts, 0, (size_t)experts * sizeof(float));
    memset(probabilities, 0, (size_t)experts * sizeof(float));
    probabilities[expert_of(routing, token)] = 1;
}

void tgr_hash_score(tgr_routing *routing) {
    tgr_each_token(routing, score_token, NULL, 0, NULL);
}

void tgr_hash_route(tgr_routing *routing, const tgr_random *random) {
    (void)random;
    routing->gate_logits = routing->logits;
    routing->gate_probabilities = routing->probabilities;
    for (int64_t t = 0; t < routing->tokens; t++) { /* K is 1 */
        routing->choices[t] = (int32_t)expert_of(routing, t);
        routing->gates[t] = 1;
    }
}

void tgr_hash_score_backward(tgr_routing *routing, float *x_gradient, int accumulate) {
    if (x_gradient == NULL || accumulate) return;
    memset(x_gradient, 0, (size_t)(routing->tokens * routing->shape.dim) * sizeof(float));
}

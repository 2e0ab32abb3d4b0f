/* SPDX-License-Identifier: MIT */
/* Experts that choose their tokens. */
#include "routing/methods/expert_choice.h"

#include "base/status.h"
#include "routing/gates/linear_router.h"
#include "routing/gates/topk.h"
#include "routing/slots/capacity.h"
#include "routing/slots/falling_key.h"
#include "routing/slots/slot_dispatch.h"
#include "routing/slots/token_sum.h"

tgr_status tgr_expert_choice_declare(tgr_routing *routing, const tgr_config *config, const char *prefix) {
    const char *keys[] = {[TGR_TRAIN] = "capacity_factor", [TGR_EVAL] = "eval_capacity_factor"};
    for (int mode = 0; mode < 2; mode++)
        TGR_REQUIRE(routing->options.capacity_factor[mode] > 0, TGR_ERROR_RANGE,
                    "option '%s' is 0; method 'expert-choice' needs a number above 0: an expert takes tokens*%s/E "
                    "tokens",
                    keys[mode], keys[mode]);
    return tgr_linear_router_declare(routing, config, prefix);
}

int64_t tgr_expert_choice_most_slots(const tgr_routing *routing, tgr_mode mode, int64_t tokens) {
    int64_t capacity = tgr_capacity_of(routing, tokens, TGR_EVAL), slots;
    if (mode == TGR_TRAIN) {
        int64_t train = tgr_capacity_of(routing, tokens, TGR_TRAIN);
        capacity = train > capacity ? train : capacity;
    }
    return tgr_multiply(capacity, routing->options.experts, &slots) ? slots : -1;
}

/* The column of one expert: p of token t at column[t · stride]. */
typedef struct column {
    const float *p;
    int64_t count, stride;
} column;

/* The key of rank `rank` (from 0) among the keys of the column, byte by byte from the highest: each pass counts the
 * keys that share the bytes found so far. *below receives how many keys are smaller. */
static uint32_t key_of_rank(const column *tokens, int64_t rank, int64_t *below) {
    uint32_t found = 0, mask = 0;
    *below = 0;
    for (int shift = 24; shift >= 0; shift -= 8) {
        int64_t keys[256] = {0};
        uint32_t byte = 0;
        for (int64_t t = 0; t < tokens->count; t++) {
            uint32_t key = tgr_falling_key(tokens->p[t * tokens->stride]);
            if ((key & mask) == found) keys[(key >> shift) & 255]++;
        }
        while (*below + keys[byte] <= rank) *below += keys[byte++];
        found |= byte << shift;
        mask |= UINT32_C(255) << shift;
    }
    return found;
}

/* One expert takes its C best tokens into slots from e · C on, ascending: all that are better than the worst one taken,
 * and of its equals the first. */
static void take_tokens(void *data, int64_t expert, int worker) {
    const tgr_routing *routing = data;
    int64_t capacity = tgr_capacity(routing), slot = expert * capacity, better;
    column tokens = {
        .p = routing->gate_probabilities + expert, .count = routing->tokens, .stride = routing->options.experts};
    uint32_t worst = key_of_rank(&tokens, capacity - 1, &better);
    int64_t equals = capacity - better;
    (void)worker;
    for (int64_t t = 0; t < tokens.count; t++) {
        float p = tokens.p[t * tokens.stride];
        uint32_t key = tgr_falling_key(p);
        if (key > worst || (key == worst && equals-- <= 0)) continue;
        routing->token_of_slot[slot] = (int32_t)t;
        routing->gate_of_slot[slot++] = p;
    }
}

void tgr_expert_choice_route(tgr_routing *routing, const tgr_random *random) {
    (void)random;
    routing->gate_logits = routing->logits;
    routing->gate_probabilities = routing->probabilities;
    if (routing->mode == TGR_EVAL && routing->override != NULL) routing->gate_probabilities = routing->override;
    tgr_parallel(routing->compute, routing->options.experts, take_tokens, routing);
}

/* Slots of a token ascend with the expert, so that ties go to the lower one. */
static void find_top1(const tgr_routing *routing, int64_t token, const void *user, double *sum) {
    int64_t experts = routing->options.experts, capacity = tgr_capacity(routing), best = -1;
    const float *p = routing->gate_probabilities + token * experts;
    (void)user, (void)sum;
    for (int64_t i = routing->first_slot_of_token[token]; i < routing->first_slot_of_token[token + 1]; i++) {
        int64_t slot = routing->slots_of_token[i];
        if (best < 0 || tgr_falling_key(routing->gate_of_slot[slot]) < tgr_falling_key(routing->gate_of_slot[best]))
            best = slot;
    }
    routing->slot_of_choice[token] = (int32_t)best;
    routing->kept[token] = best >= 0;
    if (best >= 0)
        routing->choices[token] = (int32_t)(best / capacity);
    else
        tgr_top_k(p, experts, 1, &routing->choices[token]);
    routing->gates[token] = p[routing->choices[token]];
}

void tgr_expert_choice_assign(tgr_routing *routing) {
    int64_t experts = routing->options.experts, capacity = tgr_capacity(routing);
    for (int64_t e = 0; e < experts; e++) {
        routing->load[e] = capacity;
        routing->first_slot[e] = e * capacity;
    }
    routing->slots = routing->first_slot[experts] = experts * capacity;
    tgr_index_slots(routing);
    tgr_each_token(routing, find_top1, NULL, 0, NULL);
}

/* With g_e = ∂L/∂p_{t,e}, zero but for the experts that took t: ∂L/∂l = p ⊙ (g - Σ_e p_e · g_e). */
static void backward_token(const tgr_routing *routing, int64_t token, const void *user, double *sum) {
    int64_t experts = routing->options.experts, capacity = tgr_capacity(routing);
    const float *p = routing->gate_probabilities + token * experts;
    const int32_t *slots = routing->slots_of_token + routing->first_slot_of_token[token];
    int64_t count = routing->first_slot_of_token[token + 1] - routing->first_slot_of_token[token];
    float *logits_gradient = routing->logits_gradient + token * experts;
    double average = 0;
    (void)user, (void)sum;
    if (count == 0) return;
    for (int64_t i = 0; i < count; i++)
        average += (double)routing->slot_gates_gradient[slots[i]] * p[slots[i] / capacity];
    for (int64_t e = 0; e < experts; e++) logits_gradient[e] -= (float)(p[e] * average);
    for (int64_t i = 0; i < count; i++)
        logits_gradient[slots[i] / capacity] += p[slots[i] / capacity] * routing->slot_gates_gradient[slots[i]];
}

void tgr_expert_choice_backward(tgr_routing *routing) {
    tgr_each_token(routing, backward_token, NULL, 0, NULL);
}

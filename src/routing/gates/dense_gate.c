/* SPDX-License-Identifier: MIT */
/* Slots for every expert that a token takes. */
#include "routing/gates/dense_gate.h"

#include <string.h>

#include "routing/slots/slot_dispatch.h"
#include "routing/slots/token_sum.h"

int64_t tgr_dense_most_slots(const tgr_routing *routing, tgr_mode mode, int64_t tokens) {
    int64_t of_token = mode == TGR_TRAIN ? routing->options.experts : routing->options.top_k, slots;
    return tgr_multiply(tokens, of_token, &slots) ? slots : -1;
}

/* Which of the token's choices the expert is, -1 for none. */
static int64_t choice_of(const tgr_routing *routing, int64_t token, int64_t expert) {
    int64_t top_k = routing->options.top_k;
    for (int64_t choice = token * top_k; choice < (token + 1) * top_k; choice++)
        if (routing->choices[choice] == expert) return choice;
    return -1;
}

static int takes(const tgr_routing *routing, int64_t token, int64_t expert, double threshold) {
    return routing->gate_probabilities[token * routing->options.experts + expert] > threshold ||
           choice_of(routing, token, expert) >= 0;
}

static void fill_slots(tgr_routing *routing, double threshold) {
    int64_t experts = routing->options.experts, slot = 0;
    for (int64_t e = 0; e < experts; e++) {
        routing->first_slot[e] = slot;
        for (int64_t t = 0; t < routing->tokens; t++) {
            if (!takes(routing, t, e, threshold)) continue;
            int64_t choice = choice_of(routing, t, e);
            if (choice >= 0) routing->slot_of_choice[choice] = (int32_t)slot;
            routing->token_of_slot[slot++] = (int32_t)t;
        }
        routing->load[e] = slot - routing->first_slot[e];
    }
    routing->slots = routing->first_slot[experts] = slot;
}

/* A walk through a token's slots, which ascend with the expert. */
typedef struct walk {
    int64_t next, end; /* places in slots_of_token */
    int64_t slot, expert;
} walk;

static walk walk_start(const tgr_routing *routing, int64_t token) {
    return (walk){.next = routing->first_slot_of_token[token], .end = routing->first_slot_of_token[token + 1]};
}

static int walk_on(const tgr_routing *routing, walk *w) {
    if (w->next == w->end) return 0;
    w->slot = routing->slots_of_token[w->next++];
    while (routing->first_slot[w->expert + 1] <= w->slot) w->expert++;
    return 1;
}

/* Σ_{e ∈ S_t} q_{t,e} with renormalize, or 1 */
static double divisor(const tgr_routing *routing, int64_t token) {
    double sum = 0;
    if (!routing->options.renormalize) return 1;
    for (walk w = walk_start(routing, token); walk_on(routing, &w);)
        sum += routing->gate_probabilities[token * routing->options.experts + w.expert];
    return sum;
}

static void weigh_token(const tgr_routing *routing, int64_t token, const void *user, double *sum) {
    const float *q = routing->gate_probabilities + token * routing->options.experts;
    int64_t top_k = routing->options.top_k;
    double total = divisor(routing, token);
    (void)user, (void)sum;
    for (walk w = walk_start(routing, token); walk_on(routing, &w);)
        routing->gate_of_slot[w.slot] = (float)(q[w.expert] / total);
    for (int64_t choice = token * top_k; choice < (token + 1) * top_k; choice++)
        routing->gates[choice] = routing->gate_of_slot[routing->slot_of_choice[choice]];
}

void tgr_take_experts(tgr_routing *routing, double threshold) {
    memset(routing->kept, 1, (size_t)(routing->tokens * routing->options.top_k));
    fill_slots(routing, threshold);
    tgr_index_slots(routing);
    tgr_each_token(routing, weigh_token, NULL, 0, NULL);
}

/* With γ the gradient of the gates: ∂L/∂q_e = (γ_e - Σ_{j ∈ S} γ_j g_j) / Σ_{j ∈ S} q_j when renormalised, γ_e when
 * not, and 0 for e ∉ S; ∂L/∂l = q ⊙ (∂L/∂q - Σ_e q_e · ∂L/∂q_e) / temperature. */
static void backward_token(const tgr_routing *routing, int64_t token, const void *user, double *sum) {
    int64_t experts = routing->options.experts;
    const float *q = routing->gate_probabilities + token * experts, *gradient = routing->slot_gates_gradient;
    float *logits_gradient = routing->logits_gradient + token * experts;
    double temperature = *(const double *)user, total = divisor(routing, token), shared = 0, average = 0;
    (void)sum;
    if (routing->options.renormalize)
        for (walk w = walk_start(routing, token); walk_on(routing, &w);)
            shared += (double)gradient[w.slot] * routing->gate_of_slot[w.slot];
    for (walk w = walk_start(routing, token); walk_on(routing, &w);)
        average += (gradient[w.slot] - shared) / total * q[w.expert];
    for (int64_t e = 0; e < experts; e++) logits_gradient[e] -= (float)(q[e] * average / temperature);
    for (walk w = walk_start(routing, token); walk_on(routing, &w);)
        logits_gradient[w.expert] += (float)(q[w.expert] * ((gradient[w.slot] - shared) / total) / temperature);
}

void tgr_dense_gate_backward(tgr_routing *routing, double temperature) {
    tgr_each_token(routing, backward_token, &temperature, 0, NULL);
}

/* SPDX-License-Identifier: MIT */
/* The gate of V-MoE and its way back. */
#include "routing/gates/softmax_gate.h"

#include "kernels/parallel_rows.h"
#include "routing/gates/topk.h"
#include "routing/slots/token_sum.h"

static void add_noise(const tgr_routing *routing, int64_t token, const void *user, double *sum) {
    const tgr_random *random = user;
    int64_t experts = routing->options.experts;
    double deviation = routing->options.noise / (double)experts, normals[64];
    (void)sum;
    for (int64_t first = token * experts, end = first + experts; first < end; first += 64) {
        int64_t some = end - first < 64 ? end - first : 64;
        tgr_random_normals(random, (uint64_t)first, some, normals);
        for (int64_t i = 0; i < some; i++)
            routing->noisy_logits[first + i] = (float)(routing->logits[first + i] + deviation * normals[i]);
    }
}

static void choose(const tgr_routing *routing, int64_t token, const void *user, double *sum) {
    int64_t experts = routing->options.experts, top_k = routing->options.top_k;
    const float *row = routing->gate_probabilities + token * experts;
    int32_t *choices = routing->choices + token * top_k;
    float *gates = routing->gates + token * top_k, total = 0;
    (void)user, (void)sum;
    tgr_top_k(row, experts, top_k, choices);
    for (int64_t k = 0; k < top_k; k++) {
        gates[k] = row[choices[k]];
        total += gates[k];
    }
    if (routing->options.renormalize)
        for (int64_t k = 0; k < top_k; k++) gates[k] /= total;
}

void tgr_choose_experts(tgr_routing *routing) {
    tgr_each_token(routing, choose, NULL, 0, NULL);
}

void tgr_softmax_gate(tgr_routing *routing, const tgr_random *random) {
    routing->gate_logits = routing->logits;
    routing->gate_probabilities = routing->probabilities;
    if (routing->mode == TGR_TRAIN && routing->options.noise > 0) {
        tgr_each_token(routing, add_noise, random, 0, NULL);
        tgr_softmax_rows(routing->compute, routing->tokens, routing->options.experts, 1.0f, routing->noisy_logits,
                         routing->noisy_probabilities, NULL);
        routing->gate_logits = routing->noisy_logits;
        routing->gate_probabilities = routing->noisy_probabilities;
    }
    if (routing->mode == TGR_EVAL && routing->override != NULL) routing->gate_probabilities = routing->override;
    tgr_choose_experts(routing);
}

/* With q = softmax(l + ε), gates g_k = q_{c_k}, or q_{c_k} / Σ_j q_{c_j} when renormalised:
 * ∂L/∂l = q ⊙ (∂L/∂q - Σ_e q_e · ∂L/∂q_e), where ∂L/∂q is zero but for the K chosen. */
static void backward_token(const tgr_routing *routing, int64_t token, const void *user, double *sum) {
    int64_t experts = routing->options.experts, top_k = routing->options.top_k;
    const float *q = routing->gate_probabilities + token * experts;
    const int32_t *choices = routing->choices + token * top_k;
    const float *gates = routing->gates + token * top_k, *gradient = routing->gates_gradient + token * top_k;
    float *logits_gradient = routing->logits_gradient + token * experts;
    double total = 1, shared = 0, average = 0;
    (void)user, (void)sum;
    if (routing->options.renormalize) {
        total = 0;
        for (int64_t k = 0; k < top_k; k++) {
            total += q[choices[k]];
            shared += (double)gradient[k] * gates[k];
        }
    }
    for (int64_t k = 0; k < top_k; k++) average += (gradient[k] - shared) / total * q[choices[k]];
    for (int64_t e = 0; e < experts; e++) logits_gradient[e] -= (float)(q[e] * average);
    for (int64_t k = 0; k < top_k; k++)
        logits_gradient[choices[k]] += (float)(q[choices[k]] * ((gradient[k] - shared) / total));
}

void tgr_softmax_gate_backward(tgr_routing *routing) {
    tgr_each_token(routing, backward_token, NULL, 0, NULL);
}

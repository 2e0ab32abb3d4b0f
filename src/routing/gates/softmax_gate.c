/* SPDX-License-Identifier: MIT */
/* The gate of V-MoE, and its gradient:
 *
 *     dl = q ⊙ (dq - Σ_e q_e · dq_e)
 *
 * where dq is zero except for the K chosen; there it is dg_k, or when renormalised (dg_k - Σ_j dg_j · g_j) / Σ_j q of
 * the j-th. */
#include "routing/gates/softmax_gate.h"

#include "kernels/parallel_rows.h"
#include "routing/each.h"
#include "routing/gates/topk.h"

typedef struct noise_job {
    const tgr_random *random;
    int64_t experts;
    double deviation;
    const float *logits; /* [T, E] */
    float *noisy;        /* [T, E] */
} noise_job;

static void add_noise(const void *data, int64_t token) {
    const noise_job *job = data;
    double normals[64];
    for (int64_t first = token * job->experts, end = first + job->experts; first < end; first += 64) {
        int64_t some = end - first < 64 ? end - first : 64;
        tgr_random_normals(job->random, (uint64_t)first, some, normals);
        for (int64_t i = 0; i < some; i++)
            job->noisy[first + i] = (float)(job->logits[first + i] + job->deviation * normals[i]);
    }
}

typedef struct choice_job {
    const tgr_router_options *options;
    const float *ranks; /* [T, E] */
    tgr_choices *choices;
} choice_job;

static void choose(const void *data, int64_t token) {
    const choice_job *job = data;
    int64_t experts = job->options->experts, top_k = job->options->top_k;
    const float *q = job->choices->gate_probabilities + token * experts;
    int32_t *chosen = job->choices->experts + token * top_k;
    float *gates = job->choices->gates + token * top_k, total = 0;
    tgr_top_k(job->ranks + token * experts, experts, top_k, chosen);
    for (int64_t k = 0; k < top_k; k++) {
        gates[k] = q[chosen[k]];
        total += gates[k];
    }
    if (job->options->renormalize)
        for (int64_t k = 0; k < top_k; k++) gates[k] /= total;
}

void tgr_choose_experts(const tgr_layer_router *router, const tgr_routing_pass *pass, const float *ranks,
                        tgr_choices *choices) {
    choice_job job = {.options = &router->options, .ranks = ranks, .choices = choices};
    tgr_each(router->compute, pass->tokens, choose, &job);
}

void tgr_softmax_gate(const tgr_layer_router *router, const tgr_routing_pass *pass, const tgr_scores *scores,
                      tgr_routing_work *work, tgr_choices *choices) {
    int64_t experts = router->options.experts;
    if (pass->mode == TGR_TRAIN && router->options.noise > 0) {
        noise_job job = {.random = &pass->random,
                         .experts = experts,
                         .deviation = router->options.noise / (double)experts,
                         .logits = scores->logits,
                         .noisy = work->noisy_logits};
        tgr_each(router->compute, pass->tokens, add_noise, &job);
        tgr_softmax_rows(router->compute, pass->tokens, experts, 1.0f, work->noisy_logits, work->noisy_probabilities,
                         NULL);
        choices->gate_logits = work->noisy_logits;
        choices->gate_probabilities = work->noisy_probabilities;
    }
    tgr_choose_experts(router, pass, choices->gate_probabilities, choices);
}

typedef struct backward_job {
    const tgr_router_options *options;
    const tgr_choices *choices;
    const float *dgates; /* [T, K] */
    float *dlogits;      /* [T, E] */
} backward_job;

static void backward_token(const void *data, int64_t token) {
    const backward_job *job = data;
    int64_t experts = job->options->experts, top_k = job->options->top_k;
    const float *q = job->choices->gate_probabilities + token * experts;
    const int32_t *chosen = job->choices->experts + token * top_k;
    const float *gates = job->choices->gates + token * top_k, *dgates = job->dgates + token * top_k;
    float *dlogits = job->dlogits + token * experts;
    double total = 1, shared = 0, average = 0;
    if (job->options->renormalize) {
        total = 0;
        for (int64_t k = 0; k < top_k; k++) {
            total += q[chosen[k]];
            shared += (double)dgates[k] * gates[k];
        }
    }
    for (int64_t k = 0; k < top_k; k++) average += (dgates[k] - shared) / total * q[chosen[k]];
    for (int64_t e = 0; e < experts; e++) dlogits[e] -= (float)(q[e] * average);
    for (int64_t k = 0; k < top_k; k++) dlogits[chosen[k]] += (float)(q[chosen[k]] * ((dgates[k] - shared) / total));
}

void tgr_softmax_gate_backward(const tgr_layer_router *router, const tgr_routing_pass *pass, const tgr_choices *choices,
                               const tgr_slots *slots, const float *dgates, tgr_routing_work *work, float *dlogits) {
    backward_job job = {.options = &router->options, .choices = choices, .dgates = dgates, .dlogits = dlogits};
    (void)slots, (void)work;
    tgr_each(router->compute, pass->tokens, backward_token, &job);
}

/* SPDX-License-Identifier: MIT */
/* Slots for every expert that a token takes, and the gradient of their gates:
 *
 *     dq_e = dg_e, or when renormalised (dg_e - Σ_{j ∈ S} dg_j · g_j) / Σ_{j ∈ S} q_j, and 0 for e ∉ S
 *     dl = q ⊙ (dq - Σ_e q_e · dq_e) / temperature */
#include "routing/gates/dense_gate.h"

#include <string.h>

#include "base/assert.h"
#include "routing/each.h"
#include "routing/gates/softmax_gate.h"
#include "routing/slots/dispatch.h"

int64_t tgr_dense_most_slots(const tgr_layer_router *router, tgr_mode mode, int64_t tokens) {
    int64_t of_token = mode == TGR_TRAIN ? router->options.experts : router->options.top_k, slots;
    return tgr_multiply(tokens, of_token, &slots) ? slots : -1;
}

typedef struct dense_job {
    int64_t experts, top_k;
    int renormalize;
    double threshold;
    const tgr_choices *choices;
    const tgr_slots *slots; /* once they are made */
    float *gates;           /* [T, K] or [S], written */
    const float *dgates;    /* [S] */
    float *dlogits;         /* [T, E] */
    double temperature;
} dense_job;

static dense_job job_of(const tgr_layer_router *router, double threshold, const tgr_choices *choices) {
    return (dense_job){.experts = router->options.experts,
                       .top_k = router->options.top_k,
                       .renormalize = router->options.renormalize,
                       .threshold = threshold,
                       .choices = choices};
}

static const float *q_of(const dense_job *job, int64_t token) {
    return job->choices->gate_probabilities + token * job->experts;
}

/* The token's choice that is this expert, or -1. */
static int64_t choice_of(const dense_job *job, int64_t token, int64_t expert) {
    for (int64_t choice = token * job->top_k; choice < (token + 1) * job->top_k; choice++)
        if (job->choices->experts[choice] == expert) return choice;
    return -1;
}

/* Whether the expert is in S_t. */
static int takes(const dense_job *job, int64_t token, int64_t expert) {
    return q_of(job, token)[expert] > job->threshold || choice_of(job, token, expert) >= 0;
}

/* A walk through S_t and the token's slots, which ascend with the expert. */
typedef struct walk {
    int64_t expert, place; /* place: in slots_of_token */
} walk;

static walk walk_start(const dense_job *job, int64_t token) {
    return (walk){.expert = -1, .place = job->slots != NULL ? job->slots->first_slot_of_token[token] - 1 : -1};
}

static int walk_on(const dense_job *job, int64_t token, walk *w) {
    w->place++;
    do {
        w->expert++;
    } while (w->expert < job->experts && !takes(job, token, w->expert));
    return w->expert < job->experts;
}

static int64_t slot_at(const dense_job *job, const walk *w) {
    TGR_ASSERT(job->slots->first_slot[w->expert] <= job->slots->slots_of_token[w->place]);
    TGR_ASSERT(job->slots->first_slot[w->expert + 1] > job->slots->slots_of_token[w->place]);
    return job->slots->slots_of_token[w->place];
}

/* Σ_{e ∈ S_t} q_{t,e} with renormalize, or 1 */
static double divisor(const dense_job *job, int64_t token) {
    double sum = 0;
    if (!job->renormalize) return 1;
    for (walk w = walk_start(job, token); walk_on(job, token, &w);) sum += q_of(job, token)[w.expert];
    return sum;
}

static void weigh_choices(const void *data, int64_t token) {
    const dense_job *job = data;
    double total = divisor(job, token);
    for (int64_t choice = token * job->top_k; choice < (token + 1) * job->top_k; choice++)
        job->gates[choice] = (float)(q_of(job, token)[job->choices->experts[choice]] / total);
}

void tgr_dense_route(const tgr_layer_router *router, const tgr_routing_pass *pass, double threshold,
                     tgr_choices *choices) {
    dense_job job = job_of(router, threshold, choices);
    job.gates = choices->gates;
    tgr_choose_experts(router, pass, choices->gate_probabilities, choices);
    tgr_each(router->compute, pass->tokens, weigh_choices, &job);
}

static void fill_slots(const dense_job *job, int64_t tokens, tgr_slots *slots) {
    int64_t slot = 0;
    for (int64_t e = 0; e < job->experts; e++) {
        slots->first_slot[e] = slot;
        for (int64_t t = 0; t < tokens; t++) {
            if (!takes(job, t, e)) continue;
            int64_t choice = choice_of(job, t, e);
            if (choice >= 0) slots->slot_of_choice[choice] = (int32_t)slot;
            slots->token_of_slot[slot++] = (int32_t)t;
        }
        slots->load[e] = slot - slots->first_slot[e];
    }
    slots->count = slots->first_slot[job->experts] = slot;
}

static void weigh_slots(const void *data, int64_t token) {
    const dense_job *job = data;
    double total = divisor(job, token);
    for (walk w = walk_start(job, token); walk_on(job, token, &w);)
        job->gates[slot_at(job, &w)] = (float)(q_of(job, token)[w.expert] / total);
}

void tgr_dense_assign(const tgr_layer_router *router, const tgr_routing_pass *pass, double threshold,
                      const tgr_choices *choices, tgr_slots *slots) {
    dense_job job = job_of(router, threshold, choices);
    memset(slots->kept, 1, (size_t)(pass->tokens * job.top_k));
    fill_slots(&job, pass->tokens, slots);
    tgr_index_slots(pass->tokens, slots);
    job.slots = slots;
    job.gates = slots->gate_of_slot;
    tgr_each(router->compute, pass->tokens, weigh_slots, &job);
}

static void backward_token(const void *data, int64_t token) {
    const dense_job *job = data;
    const float *q = q_of(job, token), *dgates = job->dgates;
    float *dlogits = job->dlogits + token * job->experts;
    double total = divisor(job, token), shared = 0, average = 0;
    if (job->renormalize)
        for (walk w = walk_start(job, token); walk_on(job, token, &w);)
            shared += (double)dgates[slot_at(job, &w)] * job->slots->gate_of_slot[slot_at(job, &w)];
    for (walk w = walk_start(job, token); walk_on(job, token, &w);)
        average += (dgates[slot_at(job, &w)] - shared) / total * q[w.expert];
    for (int64_t e = 0; e < job->experts; e++) dlogits[e] -= (float)(q[e] * average / job->temperature);
    for (walk w = walk_start(job, token); walk_on(job, token, &w);)
        dlogits[w.expert] += (float)(q[w.expert] * ((dgates[slot_at(job, &w)] - shared) / total) / job->temperature);
}

void tgr_dense_route_backward(const tgr_layer_router *router, const tgr_routing_pass *pass, double threshold,
                              double temperature, const tgr_choices *choices, const tgr_slots *slots,
                              const float *dgates, float *dlogits) {
    dense_job job = job_of(router, threshold, choices);
    job.slots = slots;
    job.dgates = dgates;
    job.dlogits = dlogits;
    job.temperature = temperature;
    tgr_each(router->compute, pass->tokens, backward_token, &job);
}

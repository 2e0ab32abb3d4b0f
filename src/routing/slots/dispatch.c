/* SPDX-License-Identifier: MIT */
/* Gather and combine, by choices and by slots. */
#include "routing/slots/dispatch.h"

#include <string.h>

#include "kernels/kernels.h"
#include "routing/each.h"

typedef struct dispatch_job {
    const tgr_kernels *kernels;
    int64_t dim, top_k;
    const tgr_slots *slots;
    const float *gates;  /* [T, K] or [S]; NULL is one */
    const float *from;   /* [T or S, dim] */
    const float *output; /* [S, dim] */
    float *to;           /* [S or T, dim] */
    float *dgates;       /* as gates */
} dispatch_job;

static dispatch_job job_of(const tgr_layer_router *router, const tgr_slots *slots, const float *gates,
                           const float *from, float *to) {
    return (dispatch_job){.kernels = router->compute->kernels,
                          .dim = router->shape.dim,
                          .top_k = router->options.top_k,
                          .slots = slots,
                          .gates = gates,
                          .from = from,
                          .to = to};
}

static void gather(const void *data, int64_t slot) {
    const dispatch_job *job = data;
    int64_t dim = job->dim, token = job->slots->token_of_slot[slot];
    memcpy(job->to + slot * dim, job->from + token * dim, (size_t)dim * sizeof(float));
}

void tgr_gather_tokens(const tgr_layer_router *router, const tgr_routing_pass *pass, const tgr_slots *slots,
                       const float *x, tgr_routing_work *work, float *input) {
    dispatch_job job = job_of(router, slots, NULL, x, input);
    (void)pass, (void)work;
    tgr_each(router->compute, slots->count, gather, &job);
}

/* to[t] += gates[g] · from[slot] */
static void add_slot(const dispatch_job *job, int64_t slot, int64_t gate, int64_t token) {
    job->kernels->axpy(job->dim, job->gates ? job->gates[gate] : 1.0f, job->from + slot * job->dim,
                       job->to + token * job->dim);
}

/* dgates[g] = ⟨dy[t], output[slot]⟩; doutput[slot] = gates[g] · dy[t] */
static void weigh_slot_backward(const dispatch_job *job, int64_t slot, int64_t gate, int64_t token) {
    const float *dy = job->from + token * job->dim;
    float *doutput = job->to + slot * job->dim, weight = job->gates[gate];
    job->dgates[gate] = job->kernels->dot(job->dim, dy, job->output + slot * job->dim);
    for (int64_t i = 0; i < job->dim; i++) doutput[i] = weight * dy[i];
}

static void sum_choices(const void *data, int64_t token) {
    const dispatch_job *job = data;
    memset(job->to + token * job->dim, 0, (size_t)job->dim * sizeof(float));
    for (int64_t choice = token * job->top_k; choice < (token + 1) * job->top_k; choice++) {
        int64_t slot = job->slots->slot_of_choice[choice];
        if (slot >= 0) add_slot(job, slot, choice, token);
    }
}

void tgr_combine_tokens(const tgr_layer_router *router, const tgr_routing_pass *pass, const tgr_choices *choices,
                        const tgr_slots *slots, const float *output, tgr_routing_work *work, float *y) {
    dispatch_job job = job_of(router, slots, choices->gates, output, y);
    (void)work;
    tgr_each(router->compute, pass->tokens, sum_choices, &job);
}

void tgr_gather_tokens_backward(const tgr_layer_router *router, const tgr_routing_pass *pass, const tgr_slots *slots,
                                const float *x, const float *dinput, tgr_routing_work *work, float *dx) {
    dispatch_job job = job_of(router, slots, NULL, dinput, dx);
    (void)x, (void)work;
    tgr_each(router->compute, pass->tokens, sum_choices, &job);
}

static void weigh_choices_backward(const void *data, int64_t token) {
    const dispatch_job *job = data;
    for (int64_t choice = token * job->top_k; choice < (token + 1) * job->top_k; choice++) {
        int64_t slot = job->slots->slot_of_choice[choice];
        job->dgates[choice] = 0;
        if (slot >= 0) weigh_slot_backward(job, slot, choice, token);
    }
}

void tgr_combine_tokens_backward(const tgr_layer_router *router, const tgr_routing_pass *pass,
                                 const tgr_choices *choices, const tgr_slots *slots, const float *dy,
                                 const float *output, tgr_routing_work *work, float *dgates, float *doutput) {
    dispatch_job job = job_of(router, slots, choices->gates, dy, doutput);
    (void)work;
    job.output = output;
    job.dgates = dgates;
    tgr_each(router->compute, pass->tokens, weigh_choices_backward, &job);
}

void tgr_index_slots(int64_t tokens, tgr_slots *slots) {
    int64_t *first = slots->first_slot_of_token;
    memset(first, 0, (size_t)(tokens + 1) * sizeof *first);
    for (int64_t slot = 0; slot < slots->count; slot++) first[slots->token_of_slot[slot] + 1]++;
    for (int64_t t = 0; t < tokens; t++) first[t + 1] += first[t];
    for (int64_t slot = 0; slot < slots->count; slot++)
        slots->slots_of_token[first[slots->token_of_slot[slot]]++] = (int32_t)slot;
    for (int64_t t = tokens; t > 0; t--) first[t] = first[t - 1]; /* filling has moved each start to the next */
    first[0] = 0;
}

static void sum_slots(const void *data, int64_t token) {
    const dispatch_job *job = data;
    const int64_t *first = job->slots->first_slot_of_token;
    memset(job->to + token * job->dim, 0, (size_t)job->dim * sizeof(float));
    for (int64_t i = first[token]; i < first[token + 1]; i++) {
        int64_t slot = job->slots->slots_of_token[i];
        add_slot(job, slot, slot, token);
    }
}

void tgr_combine_slots(const tgr_layer_router *router, const tgr_routing_pass *pass, const tgr_choices *choices,
                       const tgr_slots *slots, const float *output, tgr_routing_work *work, float *y) {
    dispatch_job job = job_of(router, slots, slots->gate_of_slot, output, y);
    (void)choices, (void)work;
    tgr_each(router->compute, pass->tokens, sum_slots, &job);
}

void tgr_gather_slots_backward(const tgr_layer_router *router, const tgr_routing_pass *pass, const tgr_slots *slots,
                               const float *x, const float *dinput, tgr_routing_work *work, float *dx) {
    dispatch_job job = job_of(router, slots, NULL, dinput, dx);
    (void)x, (void)work;
    tgr_each(router->compute, pass->tokens, sum_slots, &job);
}

static void weigh_backward(const void *data, int64_t slot) {
    const dispatch_job *job = data;
    weigh_slot_backward(job, slot, slot, job->slots->token_of_slot[slot]);
}

void tgr_combine_slots_backward(const tgr_layer_router *router, const tgr_routing_pass *pass,
                                const tgr_choices *choices, const tgr_slots *slots, const float *dy,
                                const float *output, tgr_routing_work *work, float *dgates, float *doutput) {
    dispatch_job job = job_of(router, slots, slots->gate_of_slot, dy, doutput);
    (void)pass, (void)choices, (void)work;
    job.output = output;
    job.dgates = dgates;
    tgr_each(router->compute, slots->count, weigh_backward, &job);
}

/* SPDX-License-Identifier: MIT */
/* Combine by slots. */
#include "routing/slots/slot_dispatch.h"

#include <string.h>

#include "kernels/kernels.h"
#include "routing/slots/token_sum.h"

void tgr_index_slots(tgr_routing *routing) {
    int64_t tokens = routing->tokens, *first = routing->first_slot_of_token;
    memset(first, 0, (size_t)(tokens + 1) * sizeof *first);
    for (int64_t slot = 0; slot < routing->slots; slot++) first[routing->token_of_slot[slot] + 1]++;
    for (int64_t t = 0; t < tokens; t++) first[t + 1] += first[t];
    for (int64_t slot = 0; slot < routing->slots; slot++)
        routing->slots_of_token[first[routing->token_of_slot[slot]]++] = (int32_t)slot;
    for (int64_t t = tokens; t > 0; t--) first[t] = first[t - 1]; /* filling moved each start to the next one */
    first[0] = 0;
}

typedef struct slot_job {
    const tgr_routing *routing;
    int64_t dim;
    const float *from, *gates; /* gates NULL is one */
    float *to;
} slot_job;

/* to[t] = Σ_s gates(s) · from[s] */
static void sum_task(void *data, int64_t block, int worker) {
    const slot_job *job = data;
    const tgr_routing *routing = job->routing;
    int64_t dim = job->dim, end = tgr_token_block_end(block, routing->tokens);
    (void)worker;
    for (int64_t t = block * TGR_TOKEN_BLOCK; t < end; t++) {
        memset(job->to + t * dim, 0, (size_t)dim * sizeof(float));
        for (int64_t i = routing->first_slot_of_token[t]; i < routing->first_slot_of_token[t + 1]; i++) {
            int64_t slot = routing->slots_of_token[i];
            routing->compute->kernels->axpy(dim, job->gates ? job->gates[slot] : 1.0f, job->from + slot * dim,
                                            job->to + t * dim);
        }
    }
}

void tgr_combine_slots(const tgr_routing *routing, int64_t dim, const float *output, float *y) {
    slot_job job = {.routing = routing, .dim = dim, .from = output, .gates = routing->gate_of_slot, .to = y};
    tgr_parallel(routing->compute, tgr_token_blocks(routing->tokens), sum_task, &job);
}

void tgr_gather_slots_backward(const tgr_routing *routing, int64_t dim, const float *input_gradient,
                               float *x_gradient) {
    slot_job job = {.routing = routing, .dim = dim, .from = input_gradient, .to = x_gradient};
    tgr_parallel(routing->compute, tgr_token_blocks(routing->tokens), sum_task, &job);
}

static void combine_backward_task(void *data, int64_t block, int worker) {
    const slot_job *job = data;
    const tgr_routing *routing = job->routing;
    int64_t dim = job->dim, end = tgr_token_block_end(block, routing->slots);
    (void)worker;
    for (int64_t slot = block * TGR_TOKEN_BLOCK; slot < end; slot++) {
        const float *y_gradient = job->from + routing->token_of_slot[slot] * dim;
        float *output = job->to + slot * dim, gate = routing->gate_of_slot[slot];
        routing->slot_gates_gradient[slot] = routing->compute->kernels->dot(dim, y_gradient, output);
        for (int64_t i = 0; i < dim; i++) output[i] = gate * y_gradient[i];
    }
}

void tgr_combine_slots_backward(tgr_routing *routing, int64_t dim, const float *y_gradient, float *output) {
    slot_job job = {.routing = routing, .dim = dim, .from = y_gradient, .to = output};
    tgr_parallel(routing->compute, tgr_token_blocks(routing->slots), combine_backward_task, &job);
}

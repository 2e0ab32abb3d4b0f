/* SPDX-License-Identifier: MIT */
/* Gather and combine for token choice. */
#include "routing/slots/dispatch.h"

#include <string.h>

#include "kernels/kernels.h"
#include "routing/slots/token_sum.h"

typedef struct dispatch_job {
    const tgr_routing *routing;
    int64_t dim;
    const float *from, *gates; /* gates NULL is one */
    float *to;
} dispatch_job;

static void gather_task(void *data, int64_t block, int worker) {
    const dispatch_job *job = data;
    int64_t dim = job->dim, end = tgr_token_block_end(block, job->routing->slots);
    (void)worker;
    for (int64_t slot = block * TGR_TOKEN_BLOCK; slot < end; slot++)
        memcpy(job->to + slot * dim, job->from + job->routing->token_of_slot[slot] * dim, (size_t)dim * sizeof(float));
}

void tgr_gather_tokens(const tgr_routing *routing, int64_t dim, const float *x, float *input) {
    dispatch_job job = {.routing = routing, .dim = dim, .from = x, .to = input};
    tgr_parallel(routing->compute, tgr_token_blocks(routing->slots), gather_task, &job);
}

/* to[t] = Σ_k gates(t, k) · from[slot of (t, k)] */
static void sum_task(void *data, int64_t block, int worker) {
    const dispatch_job *job = data;
    const tgr_kernels *kernels = job->routing->compute->kernels;
    int64_t dim = job->dim, top_k = job->routing->options.top_k;
    int64_t end = tgr_token_block_end(block, job->routing->tokens);
    (void)worker;
    for (int64_t t = block * TGR_TOKEN_BLOCK; t < end; t++) {
        memset(job->to + t * dim, 0, (size_t)dim * sizeof(float));
        for (int64_t choice = t * top_k; choice < (t + 1) * top_k; choice++) {
            int64_t slot = job->routing->slot_of_choice[choice];
            if (slot < 0) continue;
            kernels->axpy(dim, job->gates ? job->gates[choice] : 1.0f, job->from + slot * dim, job->to + t * dim);
        }
    }
}

void tgr_combine_tokens(const tgr_routing *routing, int64_t dim, const float *output, float *y) {
    dispatch_job job = {.routing = routing, .dim = dim, .from = output, .gates = routing->gates, .to = y};
    tgr_parallel(routing->compute, tgr_token_blocks(routing->tokens), sum_task, &job);
}

void tgr_gather_tokens_backward(const tgr_routing *routing, int64_t dim, const float *input_gradient,
                                float *x_gradient) {
    dispatch_job job = {.routing = routing, .dim = dim, .from = input_gradient, .to = x_gradient};
    tgr_parallel(routing->compute, tgr_token_blocks(routing->tokens), sum_task, &job);
}

static void combine_backward_task(void *data, int64_t block, int worker) {
    const dispatch_job *job = data;
    const tgr_routing *routing = job->routing;
    int64_t dim = job->dim, top_k = routing->options.top_k, end = tgr_token_block_end(block, routing->tokens);
    (void)worker;
    for (int64_t choice = block * TGR_TOKEN_BLOCK * top_k; choice < end * top_k; choice++) {
        int64_t slot = routing->slot_of_choice[choice];
        routing->gates_gradient[choice] = 0;
        if (slot < 0) continue;
        const float *y_gradient = job->from + choice / top_k * dim;
        float *output = job->to + slot * dim, gate = routing->gates[choice];
        routing->gates_gradient[choice] = routing->compute->kernels->dot(dim, y_gradient, output);
        for (int64_t i = 0; i < dim; i++) output[i] = gate * y_gradient[i];
    }
}

void tgr_combine_tokens_backward(tgr_routing *routing, int64_t dim, const float *y_gradient, float *output) {
    dispatch_job job = {.routing = routing, .dim = dim, .from = y_gradient, .to = output};
    tgr_parallel(routing->compute, tgr_token_blocks(routing->tokens), combine_backward_task, &job);
}

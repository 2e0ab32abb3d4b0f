/* SPDX-License-Identifier: MIT */
/* The optimizer's handle: its memory and its getters. The step itself is in step.c. */
#include "optimizer/optimizer.h"

#include "base/assert.h"
#include "base/context.h"
#include "base/memory.h"
#include "base/status.h"
#include "optimizer/kind.h"

/* 64 KiB of weights: enough work to be worth a task, small enough to spread a layer over all threads. */
#define BLOCK_FLOATS 16384
#define RATE_MOST    1000.0 /* as for option lr */

static int64_t blocks_of(const tgr_tensor *tensor) {
    return tensor->flags & TGR_TENSOR_STATE ? 0 : (tensor->count + BLOCK_FLOATS - 1) / BLOCK_FLOATS;
}

static void cut_into_blocks(tgr_optimizer *optimizer) {
    const tgr_parameters *parameters = optimizer->parameters;
    tgr_optimizer_block *block = optimizer->blocks;
    for (int64_t i = 0; i < parameters->tensor_count; i++) {
        const tgr_tensor *tensor = &parameters->tensors[i];
        for (int64_t b = 0; b < blocks_of(tensor); b++, block++) {
            int64_t left = tensor->count - b * BLOCK_FLOATS;
            block->offset = tensor->offset + b * BLOCK_FLOATS;
            block->count = left < BLOCK_FLOATS ? left : BLOCK_FLOATS;
            block->decayed = (tensor->flags & TGR_TENSOR_NO_DECAY) == 0;
            block->frozen_from = tensor->frozen_from;
        }
    }
    TGR_ASSERT(block == optimizer->blocks + optimizer->block_count);
}

/* On failure the caller frees the optimizer. */
static tgr_status set_up(tgr_optimizer *optimizer, const tgr_config *config) {
    tgr_parameters *parameters = optimizer->parameters;
    tgr_context *context = parameters->context;
    size_t floats = (size_t)parameters->floats;
    int64_t blocks = 0;
    for (int64_t i = 0; i < parameters->tensor_count; i++) blocks += blocks_of(&parameters->tensors[i]);
    optimizer->block_count = blocks;
    TGR_TRY(tgr_config_copy(&optimizer->config, config));
    optimizer->kind = (int)tgr_option_i64(config, TGR_OPTION_OPTIMIZER);
    TGR_TRY(tgr_allocate(context, (void **)&optimizer->blocks, (size_t)blocks, sizeof *optimizer->blocks));
    TGR_TRY(tgr_allocate(context, (void **)&optimizer->partial, (size_t)blocks, sizeof *optimizer->partial));
    TGR_TRY(tgr_allocate(context, (void **)&optimizer->first_moment, floats, sizeof(float)));
    if (tgr_optimizer_kind_of(optimizer->kind)->moments > 1)
        TGR_TRY(tgr_allocate(context, (void **)&optimizer->second_moment, floats, sizeof(float)));
    cut_into_blocks(optimizer);
    return TGR_OK;
}

tgr_status tgr_optimizer_create(tgr_optimizer **out, const tgr_config *config, tgr_parameters *parameters) {
    TGR_ENTER;
    TGR_REQUIRE_ARGUMENT(out);
    TGR_REQUIRE_ARGUMENT(config);
    TGR_REQUIRE_ARGUMENT(parameters);
    TGR_REQUIRE(parameters->values != NULL, TGR_ERROR_STATE, "the parameters have no memory yet");
    tgr_optimizer *optimizer = NULL;
    TGR_TRY(tgr_allocate(parameters->context, (void **)&optimizer, 1, sizeof *optimizer));
    atomic_init(&optimizer->references, 1);
    tgr_parameters_retain(parameters);
    optimizer->parameters = parameters;
    optimizer->fixed_rate = -1;
    tgr_status status = TGR_OK;
    TGR_TRY_DONE(set_up(optimizer, config));
    *out = optimizer;
done:
    if (status != TGR_OK) tgr_optimizer_free(optimizer);
    return status;
}

void tgr_optimizer_retain(tgr_optimizer *optimizer) {
    int before = atomic_fetch_add(&optimizer->references, 1);
    TGR_ASSERT(before > 0);
}

void tgr_optimizer_free(tgr_optimizer *optimizer) {
    if (optimizer == NULL || atomic_fetch_sub(&optimizer->references, 1) != 1) return;
    tgr_parameters *parameters = optimizer->parameters;
    tgr_context *context = parameters->context;
    size_t floats = (size_t)parameters->floats, blocks = (size_t)optimizer->block_count;
    tgr_context_retain(context); /* the parameters may hold the last reference */
    tgr_release(context, optimizer->second_moment, floats, sizeof(float));
    tgr_release(context, optimizer->first_moment, floats, sizeof(float));
    tgr_release(context, optimizer->partial, blocks, sizeof *optimizer->partial);
    tgr_release(context, optimizer->blocks, blocks, sizeof *optimizer->blocks);
    tgr_config_free(optimizer->config);
    tgr_release(context, optimizer, 1, sizeof *optimizer);
    tgr_parameters_release(parameters);
    tgr_context_free(context);
}

double tgr_optimizer_learning_rate(const tgr_optimizer *optimizer) {
    return optimizer != NULL ? tgr_optimizer_rate_at(optimizer, optimizer->parameters->step) : 0;
}

tgr_status tgr_optimizer_set_learning_rate(tgr_optimizer *optimizer, double rate) {
    TGR_ENTER;
    TGR_REQUIRE_ARGUMENT(optimizer);
    TGR_REQUIRE(rate <= RATE_MOST, TGR_ERROR_RANGE,
                "argument 'rate' is %g; it must be 0 to %g, or negative for the schedule", rate, RATE_MOST);
    optimizer->fixed_rate = rate < 0 ? -1 : rate;
    return TGR_OK;
}

double tgr_optimizer_gradient_norm(const tgr_optimizer *optimizer) {
    return optimizer != NULL ? optimizer->gradient_norm : 0;
}

/* SPDX-License-Identifier: MIT */
/* One optimizer step: the norm of the mean gradient, clipping, then one flat loop over the blocks of the arena. */
#include <math.h>
#include <string.h>

#include "base/assert.h"
#include "base/context.h"
#include "base/status.h"
#include "optimizer/kind.h"
#include "optimizer/optimizer.h"

/* A larger gradient would overflow the moments, which hold its square in float32. */
#define NORM_MOST 1e18

typedef struct step_job {
    const tgr_optimizer *optimizer;
    const tgr_optimizer_kind *kind;
    tgr_optimizer_pass pass;
    float weight_decay;
} step_job;

/* Whether the block is left out of this step: its gradient, finite or not, is ignored. */
static int is_frozen(const tgr_optimizer *optimizer, const tgr_optimizer_block *block) {
    return optimizer->parameters->step >= block->frozen_from;
}

static void sum_squares_task(void *data, int64_t task, int worker) {
    const step_job *job = data;
    const tgr_optimizer_block *block = &job->optimizer->blocks[task];
    const float *gradient = job->optimizer->parameters->gradients + block->offset;
    (void)worker;
    job->optimizer->partial[task] =
        is_frozen(job->optimizer, block) ? 0 : job->pass.kernels->sum_squares(block->count, gradient);
}

static void update_block(const step_job *job, const tgr_optimizer_block *block) {
    const tgr_optimizer *optimizer = job->optimizer;
    const tgr_parameters *parameters = optimizer->parameters;
    const tgr_optimizer_piece piece = {
        .count = block->count,
        .value = parameters->values + block->offset,
        .gradient = parameters->gradients + block->offset,
        .first = optimizer->first_moment + block->offset,
        .second = optimizer->second_moment != NULL ? optimizer->second_moment + block->offset : NULL,
        .weight_decay = block->decayed ? job->weight_decay : 0};
    job->kind->update(&job->pass, &piece);
}

static void update_task(void *data, int64_t task, int worker) {
    const step_job *job = data;
    const tgr_optimizer_block *block = &job->optimizer->blocks[task];
    (void)worker;
    if (!is_frozen(job->optimizer, block)) update_block(job, block);
    /* Here they are still in the cache. */
    memset(job->optimizer->parameters->gradients + block->offset, 0, (size_t)block->count * sizeof(float));
}

/* The norm of the mean gradient. Squares are summed in double, where squares of floats cannot overflow: the norm is
 * finite exactly if every gradient is. */
static double gradient_norm(step_job *job) {
    const tgr_optimizer *optimizer = job->optimizer;
    double sum = 0;
    tgr_parallel(&optimizer->parameters->context->compute, optimizer->block_count, sum_squares_task, job);
    for (int64_t b = 0; b < optimizer->block_count; b++) sum += optimizer->partial[b];
    return sqrt(sum) / optimizer->parameters->micro;
}

static void read_options(step_job *job) {
    const tgr_optimizer *optimizer = job->optimizer;
    const tgr_config *config = optimizer->config;
    job->pass.rate = (float)tgr_optimizer_rate_at(optimizer, optimizer->parameters->step);
    job->weight_decay = (float)tgr_option_f64(config, TGR_OPTION_WEIGHT_DECAY);
    if (job->kind->prepare != NULL) job->kind->prepare(config, (double)optimizer->steps + 1, &job->pass);
}

/* The blocks have cleared those of all trained tensors. Nothing reads these, but the host can see them. */
static void clear_state_gradients(const tgr_parameters *parameters) {
    for (int64_t i = 0; i < parameters->tensor_count; i++) {
        const tgr_tensor *tensor = &parameters->tensors[i];
        if (tensor->flags & TGR_TENSOR_STATE)
            memset(tgr_gradient(parameters, i), 0, (size_t)tensor->count * sizeof(float));
    }
}

tgr_status tgr_optimizer_step(tgr_optimizer *optimizer) {
    TGR_ENTER;
    TGR_REQUIRE_ARGUMENT(optimizer);
    tgr_parameters *parameters = optimizer->parameters;
    TGR_REQUIRE(parameters->micro > 0, TGR_ERROR_STATE, "there has been no backward pass since the last step");
    const tgr_compute *compute = &parameters->context->compute;
    step_job job = {
        .optimizer = optimizer, .kind = tgr_optimizer_kind_of(optimizer->kind), .pass = {.kernels = compute->kernels}};

    double norm = gradient_norm(&job), clip = tgr_option_f64(optimizer->config, TGR_OPTION_CLIP_NORM);
    double factor = clip > 0 && norm > clip ? clip / norm : 1;
    if (!(norm * factor <= NORM_MOST)) {
        tgr_parameters_clear_gradients(parameters);
        return tgr_fail(TGR_ERROR_NONFINITE, "the gradient's norm is %g; it must be at most %g. No weight has changed",
                        norm, NORM_MOST);
    }
    job.pass.scale = (float)(factor / parameters->micro);
    read_options(&job);
    tgr_parallel(compute, optimizer->block_count, update_task, &job);

    optimizer->gradient_norm = norm;
    optimizer->steps++;
    parameters->step++;
    parameters->micro = 0;
    parameters->changes++;
    tgr_parameters_move_state(parameters);
    clear_state_gradients(parameters);
    return TGR_OK;
}

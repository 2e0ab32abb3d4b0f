/* SPDX-License-Identifier: MIT */
/* One optimizer step: the norm of the mean gradient, clipping, then one flat loop over the blocks of the arena. */
#include <math.h>
#include <string.h>

#include "base/assert.h"
#include "base/context.h"
#include "base/status.h"
#include "kernels/kernels.h"
#include "optimizer/optimizer.h"

/* A larger gradient would overflow the moments, which hold its square in float32. */
#define NORM_MOST 1e18

typedef struct step_job {
    const tgr_optimizer *optimizer;
    const tgr_kernels *kernels;
    float scale; /* 1 / micro-batches, times the clipping factor */
    float rate, weight_decay;
    float beta1, beta2, correction1, correction2, epsilon; /* AdamW */
    float momentum;                                        /* SGD */
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
        is_frozen(job->optimizer, block) ? 0 : job->kernels->sum_squares(block->count, gradient);
}

static void adamw_block(const step_job *job, const tgr_optimizer_block *block) {
    const tgr_optimizer *optimizer = job->optimizer;
    const tgr_parameters *parameters = optimizer->parameters;
    job->kernels->adamw(block->count, parameters->values + block->offset, parameters->gradients + block->offset,
                        optimizer->first_moment + block->offset, optimizer->second_moment + block->offset, job->scale,
                        job->beta1, job->beta2, job->correction1, job->correction2, job->rate, job->epsilon,
                        block->decayed ? job->rate * job->weight_decay : 0.0f);
}

static void sgd_block(const step_job *job, const tgr_optimizer_block *block) {
    const tgr_optimizer *optimizer = job->optimizer;
    const tgr_parameters *parameters = optimizer->parameters;
    job->kernels->sgd(block->count, parameters->values + block->offset, parameters->gradients + block->offset,
                      optimizer->first_moment + block->offset, job->scale, job->momentum, job->rate,
                      block->decayed ? job->weight_decay : 0.0f);
}

static void (*const update_block[])(const step_job *job, const tgr_optimizer_block *block) = {
    [TGR_OPTIMIZER_ADAMW] = adamw_block,
    [TGR_OPTIMIZER_SGD] = sgd_block,
};

enum { KINDS = sizeof update_block / sizeof *update_block };

static void update_task(void *data, int64_t task, int worker) {
    const step_job *job = data;
    const tgr_optimizer_block *block = &job->optimizer->blocks[task];
    (void)worker;
    TGR_ASSERT(job->optimizer->kind >= 0 && job->optimizer->kind < KINDS);
    if (!is_frozen(job->optimizer, block)) update_block[job->optimizer->kind](job, block);
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
    double step = (double)optimizer->steps + 1;
    job->rate = (float)tgr_optimizer_rate_at(optimizer, optimizer->parameters->step);
    job->weight_decay = (float)tgr_option_f64(config, TGR_OPTION_WEIGHT_DECAY);
    job->momentum = (float)tgr_option_f64(config, TGR_OPTION_MOMENTUM);
    job->epsilon = (float)tgr_option_f64(config, TGR_OPTION_ADAM_EPSILON);
    job->beta1 = (float)tgr_option_f64(config, TGR_OPTION_BETA1);
    job->beta2 = (float)tgr_option_f64(config, TGR_OPTION_BETA2);
    /* From the betas as float32, as the kernel uses them, so that the first step's corrected moments are g and g². */
    job->correction1 = (float)(1 / (1 - pow(job->beta1, step)));
    job->correction2 = (float)(1 / (1 - pow(job->beta2, step)));
    TGR_ASSERT(isfinite(job->correction1) && isfinite(job->correction2)); /* no beta rounds to 1 */
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
    step_job job = {.optimizer = optimizer, .kernels = compute->kernels};

    double norm = gradient_norm(&job), clip = tgr_option_f64(optimizer->config, TGR_OPTION_CLIP_NORM);
    double factor = clip > 0 && norm > clip ? clip / norm : 1;
    if (!(norm * factor <= NORM_MOST)) {
        tgr_parameters_clear_gradients(parameters);
        return tgr_fail(TGR_ERROR_NONFINITE, "the gradient's norm is %g; it must be at most %g. No weight has changed",
                        norm, NORM_MOST);
    }
    job.scale = (float)(factor / parameters->micro);
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

/* SPDX-License-Identifier: MIT */
/* LayerScale and stochastic depth, applied where a branch joins the residual stream. */
#include "layers/residual.h"

#include <stdio.h>

#include "base/assert.h"
#include "base/initialise.h"
#include "base/random.h"
#include "kernels/copy.h"
#include "kernels/parallel_rows.h"

tgr_status tgr_residual_declare(tgr_residual *residual, tgr_parameters *parameters, const char *prefix,
                                double layer_scale) {
    char name[TGR_NAME_BYTES];
    residual->parameters = parameters;
    residual->gamma = -1;
    if (layer_scale == 0) return TGR_OK;
    snprintf(name, sizeof name, "%s.gamma", prefix);
    return tgr_parameters_add(parameters, &residual->gamma, name, TGR_TENSOR_NO_DECAY, 1, &residual->dim);
}

void tgr_residual_initialise(const tgr_residual *residual, double layer_scale) {
    if (residual->gamma >= 0) tgr_initialise_constant(residual->parameters, residual->gamma, (float)layer_scale);
}

void tgr_residual_plan_kept(tgr_residual *residual, tgr_mode mode, tgr_arena *arena, int64_t rows) {
    int train = mode == TGR_TRAIN;
    residual->row_scale = train && residual->drop_rate > 0 ? tgr_arena_floats(arena, rows, 1) : NULL;
    residual->kept_branch = train && residual->gamma >= 0 ? tgr_arena_floats(arena, rows, residual->dim) : NULL;
}

/* An image keeps its branch with probability 1 - drop_rate, scaled so that the mean is unchanged. */
static void draw_row_scale(const tgr_residual *residual, int64_t batch, uint32_t micro) {
    tgr_random random = {
        .seed = residual->parameters->seed,
        .step = (uint32_t)residual->parameters->step,
        .place = tgr_random_place(TGR_PLACE_DROP_PATH, residual->number, micro),
    };
    double keep = 1.0 - residual->drop_rate;
    float *row_scale = residual->row_scale;
    for (int64_t image = 0; image < batch; image++) {
        float scale = tgr_random_uniform(&random, (uint64_t)image) < keep ? (float)(1.0 / keep) : 0.0f;
        for (int64_t token = 0; token < residual->tokens; token++) *row_scale++ = scale;
    }
}

static int is_plain(const tgr_residual *residual) {
    return residual->gamma < 0 && residual->row_scale == NULL;
}

float *tgr_residual_branch(const tgr_residual *residual, const float *x, float *y, float *spare) {
    if (residual->kept_branch != NULL) return residual->kept_branch;
    return is_plain(residual) && x != y ? y : spare;
}

void tgr_residual_forward(const tgr_residual *residual, int64_t batch, uint32_t micro, const float *branch,
                          const float *x, float *y) {
    const tgr_compute *compute = tgr_parameters_compute(residual->parameters);
    int64_t rows = batch * residual->tokens, count = rows * residual->dim;
    TGR_ASSERT(residual->kept_branch == NULL || branch == residual->kept_branch);
    if (is_plain(residual)) {
        TGR_ASSERT(branch != x);
        tgr_add_into(compute, count, branch == y ? x : branch, y);
        return;
    }
    const float *gamma = residual->gamma >= 0 ? tgr_value(residual->parameters, residual->gamma) : NULL;
    if (residual->row_scale != NULL) draw_row_scale(residual, batch, micro);
    if (x != y) tgr_copy(compute, count, x, y);
    tgr_add_scaled(compute, rows, residual->dim, gamma, residual->row_scale, branch, y);
}

void tgr_residual_recompute(const tgr_residual *residual, int64_t batch, uint32_t micro) {
    if (residual->row_scale != NULL) draw_row_scale(residual, batch, micro);
}

const float *tgr_residual_backward(const tgr_residual *residual, int64_t batch, const float *dy, float *spare,
                                   float *partial) {
    if (is_plain(residual)) return dy;
    int scaled = residual->gamma >= 0;
    const float *gamma = scaled ? tgr_value(residual->parameters, residual->gamma) : NULL;
    float *dgamma = scaled ? tgr_gradient(residual->parameters, residual->gamma) : NULL;
    tgr_add_scaled_backward(tgr_parameters_compute(residual->parameters), batch * residual->tokens, residual->dim,
                            gamma, residual->row_scale, residual->kept_branch, dy, spare, dgamma,
                            scaled ? partial : NULL);
    return spare;
}

/* SPDX-License-Identifier: MIT */
/* LayerScale and stochastic depth on the way of a branch into the residual stream. */
#include "layers/residual.h"

#include <stdio.h>

#include "base/initialise.h"
#include "base/random.h"
#include "kernels/copy.h"
#include "kernels/parallel_rows.h"

tgr_status tgr_residual_add(tgr_residual *residual, tgr_parameters *parameters, const char *prefix, int64_t dim,
                            double layer_scale, uint32_t number, double drop_rate) {
    char name[TGR_NAME_BYTES];
    residual->gamma = -1;
    residual->number = number;
    residual->drop_rate = drop_rate;
    if (layer_scale == 0) return TGR_OK;
    snprintf(name, sizeof name, "%s.gamma", prefix);
    return tgr_parameters_add(parameters, &residual->gamma, name, TGR_TENSOR_NO_DECAY, 1, &dim);
}

void tgr_residual_initialise(const tgr_residual *residual, tgr_parameters *parameters, double layer_scale) {
    if (residual->gamma >= 0) tgr_initialise_constant(parameters, residual->gamma, (float)layer_scale);
}

void tgr_residual_plan(tgr_residual *residual, const tgr_pass *pass, tgr_arena *arena) {
    int train = pass->mode == TGR_TRAIN;
    residual->row_scale = train && residual->drop_rate > 0 ? tgr_arena_floats(arena, pass->rows, 1) : NULL;
    residual->kept_branch = train && residual->gamma >= 0 ? tgr_arena_floats(arena, pass->rows, pass->dim) : NULL;
}

/* An image keeps its branch with probability 1 - drop_rate, scaled so that the mean stays. */
static void draw_row_scale(const tgr_residual *residual, const tgr_pass *pass) {
    tgr_random random = {
        .seed = pass->parameters->seed,
        .step = (uint32_t)pass->parameters->step,
        .place = tgr_random_place(TGR_PLACE_DROP_PATH, residual->number, pass->parameters->micro),
    };
    double keep = 1.0 - residual->drop_rate;
    float *row_scale = residual->row_scale;
    for (int64_t image = 0; image < pass->batch; image++) {
        float scale = tgr_random_uniform(&random, (uint64_t)image) < keep ? (float)(1.0 / keep) : 0.0f;
        for (int64_t token = 0; token < pass->tokens; token++) *row_scale++ = scale;
    }
}

static int is_plain(const tgr_residual *residual) {
    return residual->gamma < 0 && residual->row_scale == NULL;
}

float *tgr_residual_branch(const tgr_residual *residual, const tgr_pass *pass, const float *x, float *y) {
    if (residual->kept_branch != NULL) return residual->kept_branch;
    return is_plain(residual) && x != y ? y : pass->branch;
}

void tgr_residual_forward(const tgr_residual *residual, const tgr_pass *pass, const float *x, float *y) {
    int64_t count = pass->rows * pass->dim;
    const float *branch = tgr_residual_branch(residual, pass, x, y);
    if (is_plain(residual)) {
        tgr_add_into(pass->compute, count, branch == y ? x : branch, y);
        return;
    }
    if (residual->row_scale != NULL) draw_row_scale(residual, pass);
    if (x != y) tgr_copy(pass->compute, count, x, y);
    tgr_add_scaled(pass->compute, pass->rows, pass->dim,
                   residual->gamma >= 0 ? tgr_value(pass->parameters, residual->gamma) : NULL, residual->row_scale,
                   branch, y);
}

void tgr_residual_again(const tgr_residual *residual, const tgr_pass *pass) {
    if (residual->row_scale != NULL) draw_row_scale(residual, pass);
}

const float *tgr_residual_backward(const tgr_residual *residual, const tgr_pass *pass) {
    if (is_plain(residual)) return pass->gradient;
    int scaled = residual->gamma >= 0;
    tgr_add_scaled_backward(
        pass->compute, pass->rows, pass->dim, scaled ? tgr_value(pass->parameters, residual->gamma) : NULL,
        residual->row_scale, residual->kept_branch, pass->gradient, pass->branch,
        scaled ? tgr_gradient(pass->parameters, residual->gamma) : NULL, scaled ? pass->partial : NULL);
    return pass->branch;
}

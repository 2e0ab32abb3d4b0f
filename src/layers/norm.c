/* SPDX-License-Identifier: MIT */
/* A LayerNorm with its parameters. */
#include "layers/norm.h"

#include <stdio.h>

#include "base/assert.h"
#include "base/initialise.h"
#include "base/status.h"
#include "kernels/parallel_rows.h"

tgr_status tgr_norm_declare(tgr_norm *norm, tgr_parameters *parameters, const char *prefix, int64_t dim,
                            double epsilon) {
    char name[TGR_NAME_BYTES];
    norm->parameters = parameters;
    norm->dim = dim;
    norm->epsilon = (float)epsilon;
    snprintf(name, sizeof name, "%s.weight", prefix);
    TGR_TRY(tgr_parameters_add(parameters, &norm->weight, name, TGR_TENSOR_NO_DECAY, 1, &dim));
    snprintf(name, sizeof name, "%s.bias", prefix);
    return tgr_parameters_add(parameters, &norm->bias, name, TGR_TENSOR_NO_DECAY, 1, &dim);
}

void tgr_norm_initialise(const tgr_norm *norm) {
    tgr_initialise_constant(norm->parameters, norm->weight, 1.0f);
    tgr_initialise_constant(norm->parameters, norm->bias, 0.0f);
}

void tgr_norm_plan_kept(tgr_norm *norm, tgr_arena *arena, int64_t rows) {
    norm->mean = tgr_arena_floats(arena, rows, 1);
    norm->rstd = tgr_arena_floats(arena, rows, 1);
}

void tgr_norm_forward(const tgr_norm *norm, int64_t rows, const float *x, float *y) {
    const tgr_parameters *parameters = norm->parameters;
    tgr_layer_norm(tgr_parameters_compute(parameters), rows, norm->dim, x, tgr_value(parameters, norm->weight),
                   tgr_value(parameters, norm->bias), norm->epsilon, y, norm->mean, norm->rstd);
}

void tgr_norm_backward(const tgr_norm *norm, int64_t rows, const float *x, const float *dy, float *dx, int accumulate,
                       float *partial) {
    const tgr_parameters *parameters = norm->parameters;
    TGR_ASSERT(dx != dy || !accumulate);
    tgr_layer_norm_backward(tgr_parameters_compute(parameters), rows, norm->dim, x, tgr_value(parameters, norm->weight),
                            norm->mean, norm->rstd, dy, accumulate, dx, tgr_gradient(parameters, norm->weight),
                            tgr_gradient(parameters, norm->bias), partial);
}

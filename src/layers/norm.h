/* SPDX-License-Identifier: MIT */
/* A LayerNorm with its parameters over the rows of the residual stream. */
#ifndef TGR_LAYERS_NORM_H
#define TGR_LAYERS_NORM_H

#include "base/memory.h"
#include "base/parameters.h"

typedef struct tgr_norm {
    tgr_parameters *parameters;
    int64_t dim;
    int64_t weight, bias; /* tensors [dim] */
    float epsilon;
    float *mean, *rstd; /* [rows] */
} tgr_norm;

/* Adds "<prefix>.weight" and "<prefix>.bias". */
tgr_status tgr_norm_declare(tgr_norm *norm, tgr_parameters *parameters, const char *prefix, int64_t dim,
                            double epsilon);
void tgr_norm_initialise(const tgr_norm *norm);
void tgr_norm_plan_kept(tgr_norm *norm, tgr_arena *arena, int64_t rows);
/* y [rows, dim] from x [rows, dim]. Running it again on the same x gives the same y, bit for bit. */
void tgr_norm_forward(const tgr_norm *norm, int64_t rows, const float *x, float *y);
/* dx [rows, dim] = or += when accumulate. dx == dy is allowed when not accumulating. `partial` holds
 * tgr_partial_floats(rows, dim, 2), see kernels/parallel_rows.h. */
void tgr_norm_backward(const tgr_norm *norm, int64_t rows, const float *x, const float *dy, float *dx, int accumulate,
                       float *partial);

#endif

/* SPDX-License-Identifier: MIT */
/* A LayerNorm with its parameters over the rows of the residual stream. */
#ifndef TGR_LAYERS_NORM_H
#define TGR_LAYERS_NORM_H

#include "layers/pass.h"

typedef struct tgr_norm {
    int64_t weight, bias; /* tensors [dim] */
    float epsilon;
    float *mean, *rstd; /* [rows] */
} tgr_norm;

/* Adds "<prefix>.weight" and "<prefix>.bias". */
tgr_status tgr_norm_add(tgr_norm *norm, tgr_parameters *parameters, const char *prefix, int64_t dim, double epsilon);
void tgr_norm_initialise(const tgr_norm *norm, tgr_parameters *parameters);
void tgr_norm_plan(tgr_norm *norm, const tgr_pass *pass, tgr_arena *arena);
/* y [rows, dim] from x [rows, dim]. Running it once more on the same x gives the same y, to the bit. */
void tgr_norm_forward(const tgr_norm *norm, const tgr_pass *pass, const float *x, float *y);
/* dx [rows, dim] = or += when accumulate. dx == dy is allowed when not accumulating. */
void tgr_norm_backward(const tgr_norm *norm, const tgr_pass *pass, const float *x, const float *dy, float *dx,
                       int accumulate);

#endif

/* SPDX-License-Identifier: MIT */
/* How a branch joins the residual stream: y = x + drop_path(gamma·branch), with LayerScale (Touvron et al., ICCV 2021)
 * and stochastic depth (Huang et al., ECCV 2016) where the config asks for them. Rows are batch · tokens. */
#ifndef TGR_LAYERS_RESIDUAL_H
#define TGR_LAYERS_RESIDUAL_H

#include "base/memory.h"
#include "base/parameters.h"

typedef struct tgr_residual {
    tgr_parameters *parameters;
    int64_t tokens, dim;
    int64_t gamma;      /* tensor [dim], -1 without LayerScale */
    uint32_t number;    /* of this branch in the model: keys its random numbers */
    double drop_rate;   /* share of images that skip the branch in training */
    float *row_scale;   /* [rows], 0 or 1 / (1 - drop_rate); NULL when nothing is dropped */
    float *kept_branch; /* [rows, dim], what gamma's gradient needs; NULL without */
} tgr_residual;

/* Set tokens, dim, number and drop_rate first. Adds "<prefix>.gamma" when layer_scale is not 0. */
tgr_status tgr_residual_declare(tgr_residual *residual, tgr_parameters *parameters, const char *prefix,
                                double layer_scale);
void tgr_residual_initialise(const tgr_residual *residual, double layer_scale);
void tgr_residual_plan_kept(tgr_residual *residual, tgr_mode mode, tgr_arena *arena, int64_t rows);
/* Where the branch writes its output [rows, dim] before tgr_residual_forward adds it: `spare` [rows, dim], unless the
 * branch is kept or can go directly to y. */
float *tgr_residual_branch(const tgr_residual *residual, const float *x, float *y, float *spare);
/* y [rows, dim] from x [rows, dim] and the branch, which is where tgr_residual_branch returned; y == x is allowed.
 * Random numbers are those of micro-batch `micro`, and so they are when backward draws them again. */
void tgr_residual_forward(const tgr_residual *residual, int64_t batch, uint32_t micro, const float *branch,
                          const float *x, float *y);
/* Redraws what backward needs from the forward pass, other than kept_branch. */
void tgr_residual_recompute(const tgr_residual *residual, int64_t batch, uint32_t micro);
/* Returns the branch's gradient [rows, dim], which is dy [rows, dim] itself or in `spare` [rows, dim]. The gradient of
 * x is dy. `partial` holds tgr_partial_floats(rows, dim, 1), see kernels/parallel_rows.h. */
const float *tgr_residual_backward(const tgr_residual *residual, int64_t batch, const float *dy, float *spare,
                                   float *partial);

#endif

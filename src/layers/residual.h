/* SPDX-License-Identifier: MIT */
/* How a branch joins the residual stream: y = x + drop_path(gamma·branch), with LayerScale (Touvron et al., ICCV 2021)
 * and stochastic depth (Huang et al., ECCV 2016) where the config asks for them. */
#ifndef TGR_LAYERS_RESIDUAL_H
#define TGR_LAYERS_RESIDUAL_H

#include "layers/pass.h"

typedef struct tgr_residual {
    int64_t gamma;      /* tensor [dim], -1 without LayerScale */
    uint32_t number;    /* of this branch in the model: keys its random numbers */
    double drop_rate;   /* share of images that skip the branch in training */
    float *row_scale;   /* [rows], 0 or 1 / (1 - drop_rate); NULL when nothing is dropped */
    float *kept_branch; /* [rows, dim], what gamma's gradient needs; NULL without */
} tgr_residual;

/* Adds "<prefix>.gamma" when layer_scale is not 0. */
tgr_status tgr_residual_add(tgr_residual *residual, tgr_parameters *parameters, const char *prefix, int64_t dim,
                            double layer_scale, uint32_t number, double drop_rate);
void tgr_residual_initialise(const tgr_residual *residual, tgr_parameters *parameters, double layer_scale);
void tgr_residual_plan(tgr_residual *residual, const tgr_pass *pass, tgr_arena *arena);
/* Where the branch is to write its output [rows, dim] before tgr_residual_forward(x, y) joins it. */
float *tgr_residual_branch(const tgr_residual *residual, const tgr_pass *pass, const float *x, float *y);
/* y [rows, dim] from x [rows, dim] and the branch; y == x is allowed. */
void tgr_residual_forward(const tgr_residual *residual, const tgr_pass *pass, const float *x, float *y);
/* Draws anew what backward needs of the forward pass beside kept_branch. */
void tgr_residual_again(const tgr_residual *residual, const tgr_pass *pass);
/* The branch's gradient [rows, dim] from pass->gradient, that of y, which stays: it is x's as well. */
const float *tgr_residual_backward(const tgr_residual *residual, const tgr_pass *pass);

#endif

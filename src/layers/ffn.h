/* SPDX-License-Identifier: MIT */
/* The dense FFN branch of a block: Linear dim→hidden, GELU, Linear hidden→dim. */
#ifndef TGR_LAYERS_FFN_H
#define TGR_LAYERS_FFN_H

#include "layers/linear.h"

typedef struct tgr_ffn {
    tgr_linear fc1, fc2;
    float *hidden; /* [rows, hidden], before GELU in TGR_TRAIN, until backward makes it after */
} tgr_ffn;

/* Adds "<prefix>.fc1.…" and "<prefix>.fc2.…". */
tgr_status tgr_ffn_add(tgr_ffn *ffn, tgr_parameters *parameters, const char *prefix, int64_t dim, int64_t hidden);
void tgr_ffn_initialise(const tgr_ffn *ffn, tgr_parameters *parameters, double deviation);
void tgr_ffn_plan(tgr_ffn *ffn, const tgr_pass *pass, tgr_arena *arena);
/* y [rows, dim] from x [rows, dim]. */
void tgr_ffn_forward(const tgr_ffn *ffn, const tgr_pass *pass, const float *x, float *y);
/* Fills `hidden` anew after a forward in TGR_TRAIN with the same x; y, too, unless NULL. */
void tgr_ffn_again(const tgr_ffn *ffn, const tgr_pass *pass, const float *x, float *y);
/* dx [rows, dim] is overwritten. x as in forward. */
void tgr_ffn_backward(const tgr_ffn *ffn, const tgr_pass *pass, const float *x, const float *dy, float *dx);

#endif

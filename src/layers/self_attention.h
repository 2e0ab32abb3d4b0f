/* SPDX-License-Identifier: MIT */
/* The attention branch of a block: packed projections, heads, output projection. */
#ifndef TGR_LAYERS_SELF_ATTENTION_H
#define TGR_LAYERS_SELF_ATTENTION_H

#include "kernels/attention.h"
#include "layers/linear.h"

typedef struct tgr_self_attention {
    tgr_linear qkv, proj;
    int64_t heads;
    tgr_mask mask;
    float *packed;   /* [rows, 3 · dim], queries, keys and values */
    float *attended; /* [rows, dim] */
    float *lse;      /* [batch, heads, tokens] */
} tgr_self_attention;

/* Adds "<prefix>.qkv.…" and "<prefix>.proj.…". */
tgr_status tgr_self_attention_add(tgr_self_attention *attention, tgr_parameters *parameters, const char *prefix,
                                  int64_t dim, int64_t heads);
void tgr_self_attention_initialise(const tgr_self_attention *attention, tgr_parameters *parameters, double deviation);
void tgr_self_attention_plan(tgr_self_attention *attention, const tgr_pass *pass, tgr_arena *arena);
/* y [rows, dim] from x [rows, dim]. */
void tgr_self_attention_forward(const tgr_self_attention *attention, const tgr_pass *pass, const float *x, float *y);
/* dx [rows, dim] is overwritten. x as in forward. */
void tgr_self_attention_backward(const tgr_self_attention *attention, const tgr_pass *pass, const float *x,
                                 const float *dy, float *dx);

#endif

/* SPDX-License-Identifier: MIT */
/* The attention branch of a block: packed projections, heads, output projection. Rows are batch · tokens. */
#ifndef TGR_LAYERS_SELF_ATTENTION_H
#define TGR_LAYERS_SELF_ATTENTION_H

#include "base/memory.h"
#include "kernels/attention.h"
#include "layers/linear.h"

typedef struct tgr_self_attention {
    tgr_linear qkv, proj;
    int64_t tokens, heads;
    /* Kept from forward to backward: */
    float *packed;   /* [rows, 3 · dim], queries, keys and values */
    float *attended; /* [rows, dim] */
    float *lse;      /* [batch, heads, tokens] */
    /* Within a backward: */
    float *dpacked; /* [rows, 3 · dim]; NULL in TGR_EVAL */
} tgr_self_attention;

/* Adds "<prefix>.qkv.…" and "<prefix>.proj.…". */
tgr_status tgr_self_attention_declare(tgr_self_attention *attention, tgr_parameters *parameters, const char *prefix,
                                      int64_t tokens, int64_t dim, int64_t heads, tgr_precision precision);
void tgr_self_attention_initialise(const tgr_self_attention *attention, double deviation);
void tgr_self_attention_plan_kept(tgr_self_attention *attention, tgr_arena *arena, int64_t rows);
void tgr_self_attention_plan_work(tgr_self_attention *attention, tgr_mode mode, tgr_arena *arena, int64_t rows);
/* y [rows, dim] from x [rows, dim]. */
void tgr_self_attention_forward(const tgr_self_attention *attention, int64_t batch, const float *x, float *y);
/* dx [rows, dim] is overwritten. x as in forward. `partial` holds tgr_partial_floats(rows, 3 · dim, 1), see
 * kernels/parallel_rows.h. */
void tgr_self_attention_backward(const tgr_self_attention *attention, int64_t batch, const float *x, const float *dy,
                                 float *dx, float *partial);

#endif

/* SPDX-License-Identifier: MIT */
/* Multi-head self-attention on packed projections, without storing the tokens × tokens matrix: backward recomputes it
 * from the log-sum-exp of each row. One task is one head of one image. */
#ifndef TGR_KERNELS_ATTENTION_H
#define TGR_KERNELS_ATTENTION_H

#include <stdint.h>

#include "kernels/gemm.h"

struct tgr_compute;

typedef struct tgr_attention {
    int64_t batch, tokens, heads, head_dim; /* dim = heads · head_dim */
    tgr_precision precision;                /* of the products; softmax is float32 */
    const float *qkv;                       /* [batch, tokens, 3, heads, head_dim] */
    float *out;                             /* [batch, tokens, heads, head_dim] */
    float *lse;                             /* [batch, heads, tokens]: log-sum-exp of the scaled scores */
} tgr_attention;

/* Scratch floats that one worker needs for these sizes, TGR_GEMM_SCRATCH included. Negative on overflow. */
int64_t tgr_attention_scratch(int64_t tokens, int64_t head_dim);

void tgr_attention_forward(const struct tgr_compute *compute, const tgr_attention *attention);
/* dqkv [batch, tokens, 3, heads, head_dim] is overwritten; dout has the shape of out. */
void tgr_attention_backward(const struct tgr_compute *compute, const tgr_attention *attention, const float *dout,
                            float *dqkv);

#endif

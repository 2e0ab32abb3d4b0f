/* SPDX-License-Identifier: MIT */
/* What every part of a model needs to know during a forward and a backward pass, and the buffers that parts share.
 *
 * Each part (embedding, norm, attention, FFN, residual branch, head) has the same five steps: `add` declares its
 * tensors, `initialise` draws them, `plan` takes its activations from the arena, `forward` and `backward` run it. A
 * part keeps what its backward needs in its own activations; what lives within one block only is shared here. */
#ifndef TGR_LAYERS_PASS_H
#define TGR_LAYERS_PASS_H

#include "base/context.h"
#include "base/memory.h"
#include "base/parameters.h"
#include "kernels/gemm.h"

typedef struct tgr_pass {
    const tgr_compute *compute;
    tgr_parameters *parameters;
    tgr_mode mode;
    tgr_precision precision; /* of linear layers and attention */
    tgr_recompute recompute; /* matters in TGR_TRAIN only */
    int64_t batch, tokens, dim;
    int64_t rows; /* batch · tokens */

    float *patches;    /* [rows, patch_dim], raw, zero for prefix tokens; NULL when no MoE layer wants them */
    float *normalised; /* [rows, dim], output of a block's norm */
    float *branch;     /* [rows, dim], output of a residual branch, and its gradient on the way back */
    /* In TGR_TRAIN only: */
    float *gradient;       /* [rows, dim], of the residual stream */
    float *input_gradient; /* [rows, dim], of what a branch read */
    float *wide;           /* [rows, the widest of 3 · dim and hidden], on the way through attention or FFN */
    float *partial;        /* sums by row block (see kernels/parallel_rows.h) */
} tgr_pass;

#endif

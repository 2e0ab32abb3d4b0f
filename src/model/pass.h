/* SPDX-License-Identifier: MIT */
/* A pass through the model: its shape, and the buffers that its parts share.
 *
 * A part keeps what its backward needs in buffers of its own. These are free again when a block is done:
 *
 *                     forward                              backward
 *     normalised      what a branch reads: norm(stream)    the same, recomputed
 *     branch_rows     output of a branch                   gradient of that
 *     dnormalised                                          gradient of a branch's input */
#ifndef TGR_MODEL_PASS_H
#define TGR_MODEL_PASS_H

#include <stdint.h>

#include "tgrmoe/options.h"

typedef struct tgr_pass {
    tgr_mode mode;
    tgr_recompute recompute; /* matters in TGR_TRAIN only */
    int64_t batch;
    int64_t rows;   /* batch · tokens */
    uint32_t micro; /* backward passes since the last step, at the forward: random numbers go by it */

    float *patches;     /* [rows, patch_dim], raw, zero for prefix tokens; NULL when no MoE layer wants them */
    float *normalised;  /* [rows, dim] */
    float *branch_rows; /* [rows, dim] */
    /* In TGR_TRAIN only: */
    float *dnormalised; /* [rows, dim] */
    float *dstream;     /* [rows, dim], gradient of the residual stream, from the head down to the embedding */
    float *partial;     /* sums by row block, for one layer at a time (see kernels/parallel_rows.h) */
} tgr_pass;

#endif

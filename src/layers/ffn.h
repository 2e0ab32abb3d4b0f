/* SPDX-License-Identifier: MIT */
/* A feed-forward network: Linear dim→hidden, GELU, Linear hidden→dim. Or a group of them, each on its own rows.
 *
 * Its buffers are [rows, hidden] each:
 *
 *                forward, recompute    backward
 *     hidden_a   before GELU           after GELU, recomputed
 *     hidden_b   after GELU            gradient of what is before GELU
 *
 * hidden_a is kept between the two. GELU is recomputed within the product that gives the gradient, which is far cheaper
 * than storing its result. In TGR_EVAL both are the same buffer. */
#ifndef TGR_LAYERS_FFN_H
#define TGR_LAYERS_FFN_H

#include "base/memory.h"
#include "layers/linear.h"
#include "layers/row_groups.h"

typedef struct tgr_ffn {
    tgr_linear fc1, fc2;
    float *hidden_a, *hidden_b; /* [rows, hidden] */
    tgr_gemm *products;         /* see row_groups.h */
} tgr_ffn;

/* Adds "<prefix>.fc1.…" and "<prefix>.fc2.…". `groups` is 0 for one FFN. */
tgr_status tgr_ffn_declare(tgr_ffn *ffn, tgr_parameters *parameters, const char *prefix, int64_t groups, int64_t dim,
                           int64_t hidden, tgr_precision precision);
void tgr_ffn_initialise(const tgr_ffn *ffn, double deviation);
/* Buffers for up to `rows` rows. plan_kept comes first. */
void tgr_ffn_plan_kept(tgr_ffn *ffn, tgr_arena *arena, int64_t rows);
void tgr_ffn_plan_work(tgr_ffn *ffn, tgr_mode mode, tgr_arena *arena, int64_t rows);

/* y [rows, dim] = FFN(x [rows, dim]), or += when accumulate. `first`: the groups' rows, or TGR_ALL_ROWS. */
void tgr_ffn_forward(const tgr_ffn *ffn, const int64_t *first, const float *x, float *y, int accumulate);
/* Refills hidden_a after a forward in TGR_TRAIN, from the same x; y is not computed. */
void tgr_ffn_recompute(const tgr_ffn *ffn, const int64_t *first, const float *x);
/* Call it once for each forward, with the same x. dx [rows, dim] is overwritten, or added to when accumulate; it may be
 * NULL, or x itself. `partial` holds tgr_partial_floats(rows, the wider of dim and hidden, 1); unused with groups. */
void tgr_ffn_backward(const tgr_ffn *ffn, const int64_t *first, const float *x, const float *dy, float *dx,
                      int accumulate, float *partial);

#endif

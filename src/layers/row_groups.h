/* SPDX-License-Identifier: MIT */
/* Linear layers on groups of rows, with GELU as part of their products: the parts of an FFN. All products of a call run
 * in one parallel job. A Linear without groups has all rows in one. */
#ifndef TGR_LAYERS_ROW_GROUPS_H
#define TGR_LAYERS_ROW_GROUPS_H

#include "layers/linear.h"

/* The rows of a batch: group g's are first[g] … first[g + 1] - 1. A group without rows is skipped, and its gradients
 * are left alone. */
typedef struct tgr_row_groups {
    const int64_t *first; /* [groups + 1] */
    tgr_gemm *products;   /* [2 · groups], room */
    float *partial;       /* as for tgr_linear_backward; unused with groups */
} tgr_row_groups;

/* `first` of a layer without groups. */
#define TGR_ALL_ROWS(rows) ((const int64_t[]){0, (rows)})

/* y [rows, outputs] = or += */
void tgr_groups_forward(const tgr_linear *linear, const tgr_row_groups *rows, const float *x, float *y, int accumulate);
/* y [rows, outputs], and activation [rows, outputs] = gelu(y), which may be y itself. */
void tgr_groups_gelu_forward(const tgr_linear *linear, const tgr_row_groups *rows, const float *x, float *y,
                             float *activation);
/* Where x = gelu(before): dbefore [rows, inputs] = (dy·W)·gelu'(before), and activation [rows, inputs] = x recomputed,
 * which may be `before` itself. */
void tgr_groups_gelu_backward(const tgr_linear *linear, const tgr_row_groups *rows, const float *dy,
                              const float *before, float *activation, float *dbefore);
/* Adds to the gradients of weight and bias. */
void tgr_groups_weight_backward(const tgr_linear *linear, const tgr_row_groups *rows, const float *x, const float *dy);
/* The same, and dx [rows, inputs] = or += unless it is NULL. dx may be x itself, at the cost of a second job. */
void tgr_groups_backward(const tgr_linear *linear, const tgr_row_groups *rows, const float *x, const float *dy,
                         float *dx, int accumulate);

#endif

/* SPDX-License-Identifier: MIT */
/* A serial matrix product in blocks that fit the caches (after Goto and van de Geijn, ACM TOMS 34:3, 2008, and Van Zee
 * and van de Geijn, ACM TOMS 41:3, 2015). The driver is the same for all processors; what differs is described here.
 *
 * C is computed in micro-tiles that stay in registers. A panel is as many rows of A, or columns of B, as a micro-tile
 * has; packed, it is stored so that the elements of step l of the sum are contiguous: panel[l · stride + lane]. */
#ifndef TGR_KERNELS_BLOCKED_GEMM_BLOCKED_H
#define TGR_KERNELS_BLOCKED_GEMM_BLOCKED_H

#include "kernels/gemm.h"

/* C[rows, columns] (+)= A[rows, k]·B[k, columns] (+ bias). Each element is one chain of fused multiply-adds from zero
 * with l ascending, then one addition of bias and one of the old C. */
typedef struct tgr_micro_tile {
    int64_t k;
    const float *a;
    int64_t a_row, a_col;
    const float *b; /* rows are contiguous and readable up to a whole vector */
    int64_t b_row;
    float *c;
    int64_t c_row;
    const float *bias; /* [columns], or NULL */
    int accumulate;
} tgr_micro_tile;

/* to[l · to_row + lane] = from[lane · from_lane + l · from_k], filled up to a whole vector of lanes with zeros. */
typedef struct tgr_panel {
    int64_t lanes, k;
    const float *from;
    int64_t from_lane, from_k;
    float *to; /* aligned to a vector */
    int64_t to_row;
} tgr_panel;

typedef struct tgr_blocking {
    int64_t vector;        /* floats in a vector */
    int64_t rows, columns; /* of a micro-tile; columns is a multiple of vector */
    int64_t depth;         /* steps of k in a block: a panel of A stays in the first-level cache */
    int64_t width;         /* columns in a block: depth × width of B stay in the second-level cache */
    void (*multiply)(int64_t rows, int64_t columns, const tgr_micro_tile *tile);
    void (*pack)(const tgr_panel *panel);
} tgr_blocking;

/* Put before a loop over vectors that must end up in registers. */
#if defined(__clang__)
#define TGR_UNROLL _Pragma("clang loop unroll(full)")
#else
#define TGR_UNROLL _Pragma("GCC unroll 16")
#endif

void tgr_gemm_blocked(const tgr_blocking *blocking, const tgr_gemm *product, float *scratch);

#endif

/* SPDX-License-Identifier: MIT */
/* Matrix products composed of products of bfloat16 pairs: what the processors with such an instruction have in common.
 * A float32 product is computed as six bfloat16 products of its operands' parts (after Henry, Tang and Heinecke, ARITH
 * 2019, arXiv 1904.06376), which is as exact as a chain of float32 multiply-adds; a bfloat16 product is one.
 *
 * Unlike in the other variants, numbers below 2^-126 count as zero, and so do the last bits of those below 2^-102. */
#ifndef TGR_KERNELS_AVX512_PAIRS_H
#define TGR_KERNELS_AVX512_PAIRS_H

#include "kernels/avx512/pair_pack.h"
#include "kernels/gemm.h"

/* C [up to 2 · tile_rows, up to 32] from one packed panel of A and one of B. */
typedef struct tgr_pair_tile {
    int parts;
    int tall, wide;        /* two tiles of rows, two of columns; otherwise one */
    const uint16_t *a, *b; /* packed panels */
    int64_t steps;         /* tiles of the sum */
    const float *start;    /* what the sum starts with, rows `start_row` apart; NULL for zero */
    int64_t start_row;
    float *c; /* written in whole tiles */
    int64_t c_row;
    int64_t tile_rows;
} tgr_pair_tile;

/* A processor's unit for such products. */
typedef struct tgr_pair_unit {
    void (*begin)(int64_t tile_rows); /* called before the tiles of a product; NULL if there is nothing to do */
    void (*multiply)(const tgr_pair_tile *tile);
    void (*end)(void);
} tgr_pair_unit;

/* A serial product. `parts` is 3 for float32, 1 for bfloat16. */
void tgr_gemm_pairs(const tgr_pair_unit *unit, int parts, const tgr_gemm *product, float *scratch);

#endif

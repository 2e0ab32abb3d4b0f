/* SPDX-License-Identifier: MIT */
/* Products of bfloat16 numbers by AVX512_BF16's pairwise multiply-add. */
#include "kernels/avx512bf16/isa.h"

#if defined(__x86_64__)

#include <immintrin.h>

#include "kernels/avx512/pairs.h"
#include "kernels/blocked/gemm_blocked.h"
#include "kernels/variants.h"

enum { LANES = TGR_PAIR_LANES, TILE = TGR_PAIR_TILE, PAIRS = TGR_PAIR_STEPS / 2, ROWS = 8, VECTORS = 2 };

static inline __attribute__((always_inline)) __m512bh pairs(const uint16_t *from) {
    return (__m512bh)_mm512_loadu_si512(from);
}

/* `rows` rows of a tile of A, which begin at `a`, by both tiles of B. */
static inline __attribute__((always_inline)) void multiply(const int rows, const int vectors, const tgr_pair_tile *t,
                                                           const uint16_t *a, const float *start, float *c) {
    __m512 sum[ROWS][VECTORS];
    const uint16_t *b = t->b;
    TGR_UNROLL for (int i = 0; i < rows; i++) {
        TGR_UNROLL for (int v = 0; v < vectors; v++) {
            sum[i][v] = start ? _mm512_loadu_ps(start + i * t->start_row + v * LANES) : _mm512_setzero_ps();
        }
    }
    for (int64_t step = 0; step < t->steps; step++, a += 2 * TILE, b += 2 * TILE) {
        for (int64_t p = 0; p < PAIRS; p++) {
            __m512bh b_p[VECTORS];
            TGR_UNROLL for (int v = 0; v < vectors; v++) b_p[v] = pairs(b + v * TILE + p * 2 * LANES);
            TGR_UNROLL for (int i = 0; i < rows; i++) {
                int32_t pair;
                __builtin_memcpy(&pair, a + i * TGR_PAIR_STEPS + 2 * p, sizeof pair);
                __m512bh a_p = (__m512bh)_mm512_set1_epi32(pair);
                TGR_UNROLL for (int v = 0; v < vectors; v++) sum[i][v] = _mm512_dpbf16_ps(sum[i][v], a_p, b_p[v]);
            }
        }
    }
    TGR_UNROLL for (int i = 0; i < rows; i++) {
        TGR_UNROLL for (int v = 0; v < vectors; v++) _mm512_storeu_ps(c + i * t->c_row + v * LANES, sum[i][v]);
    }
}

static void multiply_rows(int rows, const tgr_pair_tile *t, const uint16_t *a, const float *start, float *c) {
    if (rows == ROWS && t->wide)
        multiply(ROWS, 2, t, a, start, c);
    else if (rows == ROWS)
        multiply(ROWS, 1, t, a, start, c);
    else if (t->wide)
        multiply(1, 2, t, a, start, c);
    else
        multiply(1, 1, t, a, start, c);
}

static void multiply_tile(const tgr_pair_tile *t) {
    for (int half = 0; half <= t->tall; half++) {
        for (int64_t row = 0; row < t->tile_rows;) {
            const int rows = t->tile_rows - row >= ROWS ? ROWS : 1;
            const int64_t at = half * t->tile_rows + row;
            multiply_rows(rows, t, t->a + half * TILE + row * TGR_PAIR_STEPS,
                          t->start ? t->start + at * t->start_row : NULL, t->c + at * t->c_row);
            row += rows;
        }
    }
}

void tgr_gemm_avx512_bfloat16(const tgr_gemm *product, float *scratch) {
    static const tgr_pair_unit unit = {.multiply = multiply_tile};
    tgr_gemm_pairs(&unit, 1, product, scratch);
}

#else
typedef int tgr_gemm_avx512_bfloat16_is_for_x86_64;
#endif

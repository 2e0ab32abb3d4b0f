/* SPDX-License-Identifier: MIT */
/* The blocked product with AVX-512: micro-tiles of up to 14 × 32 in 28 of the 32 registers. */
#include "kernels/avx512/isa.h"

#if defined(__x86_64__)

#include <immintrin.h>

#include "kernels/avx512/transpose.h"
#include "kernels/blocked/gemm_blocked.h"
#include "kernels/variants.h"

enum { ROWS = 14, VECTORS = 2, LANES = 16 };
enum { AHEAD = 16 }; /* how many rows of B to prefetch; reading beyond the last is harmless */

static inline __mmask16 first_lanes(int64_t count) {
    return (__mmask16)(count >= LANES ? 0xffffu : (1u << count) - 1);
}

static inline __attribute__((always_inline)) void store(__m512 sum, const tgr_micro_tile *tile, int64_t row,
                                                        int64_t column, __mmask16 mask) {
    float *c = tile->c + row * tile->c_row + column;
    if (tile->bias) sum = _mm512_add_ps(sum, _mm512_maskz_loadu_ps(mask, tile->bias + column));
    if (tile->accumulate) sum = _mm512_add_ps(_mm512_maskz_loadu_ps(mask, c), sum);
    _mm512_mask_storeu_ps(c, mask, sum);
}

/* `rows` and `vectors` are constants wherever this is inlined, so that all of `sum` is in registers. */
static inline __attribute__((always_inline)) void multiply(const int rows, const int vectors, int64_t columns,
                                                           const tgr_micro_tile *tile) {
    __m512 sum[ROWS][VECTORS];
    int64_t a_row = tile->a_row, a_col = tile->a_col, b_row = tile->b_row;
    const float *a[4], *b = tile->b; /* a[q] is at row 4·q */
    TGR_UNROLL for (int q = 0; q < 4; q++) a[q] = tile->a + (4 * q < rows ? 4 * q * a_row : 0);
    TGR_UNROLL for (int i = 0; i < rows; i++) {
        _mm_prefetch((const char *)(tile->c + i * tile->c_row), _MM_HINT_T0);
        if (vectors == 2) _mm_prefetch((const char *)(tile->c + i * tile->c_row + columns - 1), _MM_HINT_T0);
        TGR_UNROLL for (int v = 0; v < vectors; v++) sum[i][v] = _mm512_setzero_ps();
    }
    for (int64_t l = 0; l < tile->k; l++) {
        __m512 b_l[VECTORS];
        TGR_UNROLL for (int v = 0; v < vectors; v++) b_l[v] = _mm512_loadu_ps(b + LANES * v);
        TGR_UNROLL for (int i = 0; i < rows; i++) {
            __m512 a_il = _mm512_set1_ps(a[i / 4][i % 4 * a_row]);
            TGR_UNROLL for (int v = 0; v < vectors; v++) sum[i][v] = _mm512_fmadd_ps(a_il, b_l[v], sum[i][v]);
        }
        TGR_UNROLL for (int q = 0; q < 4; q++) a[q] += a_col;
        _mm_prefetch((const char *)(b + AHEAD * b_row), _MM_HINT_T0);
        if (vectors > 1) _mm_prefetch((const char *)(b + AHEAD * b_row + LANES), _MM_HINT_T0);
        b += b_row;
    }
    TGR_UNROLL for (int i = 0; i < rows; i++) {
        TGR_UNROLL for (int v = 0; v < vectors; v++)
            store(sum[i][v], tile, i, LANES * v, first_lanes(columns - LANES * v));
    }
}

#define MULTIPLY(rows)                                                         \
    static void multiply_##rows(int64_t columns, const tgr_micro_tile *tile) { \
        if (columns > LANES) {                                                 \
            multiply(rows, 2, columns, tile);                                  \
        } else {                                                               \
            multiply(rows, 1, columns, tile);                                  \
        }                                                                      \
    }
MULTIPLY(1)
MULTIPLY(2)
MULTIPLY(3)
MULTIPLY(4)
MULTIPLY(5)
MULTIPLY(6)
MULTIPLY(7)
MULTIPLY(8)
MULTIPLY(9)
MULTIPLY(10)
MULTIPLY(11)
MULTIPLY(12)
MULTIPLY(13)
MULTIPLY(14)
#undef MULTIPLY

static void multiply_tile(int64_t rows, int64_t columns, const tgr_micro_tile *tile) {
    static void (*const by_rows[ROWS])(int64_t, const tgr_micro_tile *) = {
        multiply_1, multiply_2, multiply_3,  multiply_4,  multiply_5,  multiply_6,  multiply_7,
        multiply_8, multiply_9, multiply_10, multiply_11, multiply_12, multiply_13, multiply_14,
    };
    by_rows[rows - 1](columns, tile);
}

/* What blocked/pack.h requires. */
typedef __m512 vector;
#define transpose tgr_transpose_avx512

static inline vector load(const float *from, int64_t lanes) {
    __mmask16 mask = first_lanes(lanes);
    return _mm512_maskz_loadu_ps(mask, from);
}

static inline void store_vector(float *to, vector x) {
    _mm512_storeu_ps(to, x);
}

#include "kernels/blocked/pack.h"

void tgr_gemm_avx512(const tgr_gemm *product, float *scratch) {
    static const tgr_blocking blocking = {
        .vector = LANES,
        .rows = ROWS,
        .columns = VECTORS * LANES,
        .depth = 384,
        .width = 512,
        .multiply = multiply_tile,
        .pack = pack,
    };
    tgr_gemm_blocked(&blocking, product, scratch);
}

#else
typedef int tgr_gemm_avx512_is_for_x86_64;
#endif

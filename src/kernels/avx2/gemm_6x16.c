/* SPDX-License-Identifier: MIT */
/* The blocked product with AVX2 and FMA: micro-tiles of up to 6 × 16 in 12 of the 16 registers. */
#include "kernels/avx2/isa.h"

#if defined(__x86_64__)

#include <immintrin.h>

#include "kernels/blocked/gemm_blocked.h"
#include "kernels/variants.h"

enum { ROWS = 6, VECTORS = 2, LANES = 8 };
enum { AHEAD = 16 }; /* how many rows of B to prefetch; reading beyond the last is harmless */

static inline __m256i first_lanes(int64_t count) {
    return _mm256_cmpgt_epi32(_mm256_set1_epi32(count > LANES ? LANES : (int)count),
                              _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
}

static inline __attribute__((always_inline)) void store(__m256 sum, const tgr_micro_tile *tile, int64_t row,
                                                        int64_t column, __m256i mask) {
    float *c = tile->c + row * tile->c_row + column;
    if (tile->bias) sum = _mm256_add_ps(sum, _mm256_maskload_ps(tile->bias + column, mask));
    if (tile->accumulate) sum = _mm256_add_ps(_mm256_maskload_ps(c, mask), sum);
    _mm256_maskstore_ps(c, mask, sum);
}

/* `rows` and `vectors` are constants wherever this is inlined, so that all of `sum` is in registers. */
static inline __attribute__((always_inline)) void multiply(const int rows, const int vectors, int64_t columns,
                                                           const tgr_micro_tile *tile) {
    __m256 sum[ROWS][VECTORS];
    int64_t a_row = tile->a_row, a_col = tile->a_col, b_row = tile->b_row;
    const float *a[2], *b = tile->b; /* a[q] is at row 4·q */
    TGR_UNROLL for (int q = 0; q < 2; q++) a[q] = tile->a + (4 * q < rows ? 4 * q * a_row : 0);
    TGR_UNROLL for (int i = 0; i < rows; i++) {
        _mm_prefetch((const char *)(tile->c + i * tile->c_row), _MM_HINT_T0);
        TGR_UNROLL for (int v = 0; v < vectors; v++) sum[i][v] = _mm256_setzero_ps();
    }
    for (int64_t l = 0; l < tile->k; l++) {
        __m256 b_l[VECTORS];
        TGR_UNROLL for (int v = 0; v < vectors; v++) b_l[v] = _mm256_loadu_ps(b + LANES * v);
        TGR_UNROLL for (int i = 0; i < rows; i++) {
            __m256 a_il = _mm256_broadcast_ss(a[i / 4] + i % 4 * a_row);
            TGR_UNROLL for (int v = 0; v < vectors; v++) sum[i][v] = _mm256_fmadd_ps(a_il, b_l[v], sum[i][v]);
        }
        TGR_UNROLL for (int q = 0; q < 2; q++) a[q] += a_col;
        _mm_prefetch((const char *)(b + AHEAD * b_row), _MM_HINT_T0);
        b += b_row;
    }
    TGR_UNROLL for (int v = 0; v < vectors; v++) {
        __m256i mask = first_lanes(columns - LANES * v);
        TGR_UNROLL for (int i = 0; i < rows; i++) store(sum[i][v], tile, i, LANES * v, mask);
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
#undef MULTIPLY

static void multiply_tile(int64_t rows, int64_t columns, const tgr_micro_tile *tile) {
    static void (*const by_rows[ROWS])(int64_t, const tgr_micro_tile *) = {
        multiply_1, multiply_2, multiply_3, multiply_4, multiply_5, multiply_6,
    };
    by_rows[rows - 1](columns, tile);
}

/* x[i][j] becomes x[j][i]. */
static inline __attribute__((always_inline)) void transpose(__m256 x[LANES]) {
    __m256 y[LANES];
    for (int i = 0; i < LANES; i += 4) { /* 4 × 4 within each half of the vectors */
        __m256 low01 = _mm256_unpacklo_ps(x[i], x[i + 1]), high01 = _mm256_unpackhi_ps(x[i], x[i + 1]);
        __m256 low23 = _mm256_unpacklo_ps(x[i + 2], x[i + 3]), high23 = _mm256_unpackhi_ps(x[i + 2], x[i + 3]);
        y[i] = _mm256_shuffle_ps(low01, low23, 0x44);
        y[i + 1] = _mm256_shuffle_ps(low01, low23, 0xee);
        y[i + 2] = _mm256_shuffle_ps(high01, high23, 0x44);
        y[i + 3] = _mm256_shuffle_ps(high01, high23, 0xee);
    }
    for (int i = 0; i < 4; i++) { /* 2 × 2 of halves */
        x[i] = _mm256_permute2f128_ps(y[i], y[i + 4], 0x20);
        x[i + 4] = _mm256_permute2f128_ps(y[i], y[i + 4], 0x31);
    }
}

/* What blocked/pack.h requires. */
typedef __m256 vector;

static inline vector load(const float *from, int64_t lanes) {
    __m256i mask = first_lanes(lanes);
    return _mm256_maskload_ps(from, mask);
}

static inline void store_vector(float *to, vector x) {
    _mm256_storeu_ps(to, x);
}

#include "kernels/blocked/pack.h"

void tgr_gemm_avx2(const tgr_gemm *product, float *scratch) {
    static const tgr_blocking blocking = {
        .vector = LANES,
        .rows = ROWS,
        .columns = VECTORS * LANES,
        .depth = 384,
        .width = 256,
        .multiply = multiply_tile,
        .pack = pack,
    };
    tgr_gemm_blocked(&blocking, product, scratch);
}

#else
typedef int tgr_gemm_avx2_is_for_x86_64;
#endif

/* SPDX-License-Identifier: MIT */
/* Transposes 16 × 16 floats in registers. For files compiled for AVX-512. */
#ifndef TGR_KERNELS_AVX512_TRANSPOSE_H
#define TGR_KERNELS_AVX512_TRANSPOSE_H

#include <immintrin.h>

/* x[i][j] becomes x[j][i]. */
static inline __attribute__((always_inline)) void tgr_transpose_avx512(__m512 x[16]) {
    __m512 y[16];
    for (int i = 0; i < 16; i += 4) { /* 4 × 4 within each quarter of the vectors */
        __m512 low01 = _mm512_unpacklo_ps(x[i], x[i + 1]), high01 = _mm512_unpackhi_ps(x[i], x[i + 1]);
        __m512 low23 = _mm512_unpacklo_ps(x[i + 2], x[i + 3]), high23 = _mm512_unpackhi_ps(x[i + 2], x[i + 3]);
        y[i] = _mm512_shuffle_ps(low01, low23, 0x44);
        y[i + 1] = _mm512_shuffle_ps(low01, low23, 0xee);
        y[i + 2] = _mm512_shuffle_ps(high01, high23, 0x44);
        y[i + 3] = _mm512_shuffle_ps(high01, high23, 0xee);
    }
    for (int i = 0; i < 4;
         i++) { /* 4 × 4 of quarters: y[4·r + i] has in quarter q what x[4·q + i] needs in quarter r */
        __m512 even01 = _mm512_shuffle_f32x4(y[i], y[i + 4], 0x88);
        __m512 odd01 = _mm512_shuffle_f32x4(y[i], y[i + 4], 0xdd);
        __m512 even23 = _mm512_shuffle_f32x4(y[i + 8], y[i + 12], 0x88);
        __m512 odd23 = _mm512_shuffle_f32x4(y[i + 8], y[i + 12], 0xdd);
        x[i] = _mm512_shuffle_f32x4(even01, even23, 0x88);
        x[i + 4] = _mm512_shuffle_f32x4(odd01, odd23, 0x88);
        x[i + 8] = _mm512_shuffle_f32x4(even01, even23, 0xdd);
        x[i + 12] = _mm512_shuffle_f32x4(odd01, odd23, 0xdd);
    }
}

#endif

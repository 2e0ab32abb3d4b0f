/* SPDX-License-Identifier: MIT */
/* The building blocks of the vector row kernels: sums in lanes, polynomials and exp as branch-free C.
 *
 * The files of this folder are a template: each file for one instruction set includes rows.h once and is compiled with
 * its own flags. Loops are plain C that compilers vectorise. A sum keeps one partial sum per lane, so that it
 * vectorises without permission to reorder, and so that its order is the same for any instruction set. */
#ifndef TGR_KERNELS_VECTOR_MATH_H
#define TGR_KERNELS_VECTOR_MATH_H

#include <math.h>
#include <stdint.h>

#include "base/bits.h"

#define VECTOR_LANES 16

/* Rows that go through each step of a kernel together. */
#define VECTOR_ROWS_TOGETHER 8

/* Put before a loop whose iterations do not touch each other's elements, although its pointers may be equal (in place).
 */
#if defined(__clang__)
#define VECTOR_INDEPENDENT _Pragma("clang loop vectorize(assume_safety)")
#else
#define VECTOR_INDEPENDENT _Pragma("GCC ivdep")
#endif

/* Put before a loop over the lanes: otherwise gcc unrolls it first, and then finds nothing to vectorise. */
#if defined(__clang__)
#define VECTOR_EACH_LANE VECTOR_INDEPENDENT
#else
#define VECTOR_EACH_LANE _Pragma("GCC ivdep") _Pragma("GCC unroll 1")
#endif

/* The part of `count` that fills all lanes. */
static inline int64_t vector_full(int64_t count) {
    return count - count % VECTOR_LANES;
}

/* The last VECTOR_LANES entries of a row that has at least that many: where they start, and which of them (1 or 0) are
 * not in the vectors before. */
typedef struct vector_end {
    int64_t start;
    float fresh[VECTOR_LANES];
} vector_end;

static inline vector_end vector_end_of(int64_t count) {
    vector_end end = {.start = count - VECTOR_LANES};
    int64_t before = count > 0 ? vector_full(count - 1) : 0;
    for (int j = 0; j < VECTOR_LANES; j++) end.fresh[j] = end.start + j >= before ? 1.0f : 0.0f;
    return end;
}

/* Adds the lanes by halves: 16 to 8 to 4 to 2 to 1. */
static inline float vector_lanes_sum(const float *lanes) {
    float eight[8], four[4];
    VECTOR_EACH_LANE
    for (int j = 0; j < 8; j++) eight[j] = lanes[j] + lanes[j + 8];
    VECTOR_EACH_LANE
    for (int j = 0; j < 4; j++) four[j] = eight[j] + eight[j + 4];
    return (four[0] + four[2]) + (four[1] + four[3]);
}

/* A constant hidden from the compiler. If a value is clipped at a known one, gcc splits the loop's body into paths for
 * clipped and unclipped values, and then vectorises all of them. */
static inline float vector_hidden(float value) {
    volatile float hidden = value;
    return hidden;
}

/* Σ_k c[k]·v^k of an even number of terms, even and odd powers separately: the two chains do not wait for each other.
 */
static inline float vector_polynomial(const float *c, int terms, float v) {
    float square = v * v, even = c[terms - 2], odd = c[terms - 1];
    for (int k = terms - 4; k >= 0; k -= 2) {
        even = even * square + c[k];
        odd = odd * square + c[k + 1];
    }
    return odd * v + even;
}

/* exp(x) for x <= 40 within 2 units in the last place: denormals, 0 below -104, NaN for NaN. (All that softmax needs;
 * handling overflow would cost a third more.)
 *
 * x = n·ln 2 + r with |r| <= ln 2 / 2; e^r by a polynomial; times 2^(n + 64), then times 2^-64, which rounds to a
 * denormal where needed. */
static inline float vector_exp(float x) {
    const float round = 12582912.0f + 191.0f; /* 1.5·2^23 and 64 + the exponent's bias: adding it leaves the exponent of
                                               * 2^(n + 64) in the low bits */
    float shifted = x * 1.44269504f + round;
    float n = shifted - round;
    float r = x - n * 0.693359375f; /* ln 2 in two parts: n times the first is exact */
    r = r + n * 2.12194440e-4f;
    float p = 1.392618359e-3f;
    p = p * r + 8.363179053e-3f;
    p = p * r + 4.166655462e-2f;
    p = p * r + 1.666657699e-1f;
    p = p * r + 0.5f;
    p = p * r + 1.0f;
    p = p * r + 1.0f;
    float power = tgr_float_of_bits(tgr_bits_of_float(shifted) << 23);
    return x < -104.0f ? 0.0f : p * power * 0x1p-64f;
}

/* log(x) for x from 2^-126 to 2^127; NaN for NaN.
 *
 * x = 2^n·(1 + f) with 1 + f from sqrt(1/2) to sqrt(2); log(1 + f) by a polynomial. */
static inline float vector_log(float x) {
    const uint32_t one = 0x3f800000u, root = 0x3f3504f3u; /* 1 and sqrt(1/2) */
    uint32_t bits = tgr_bits_of_float(x), exponent = (bits + (one - root)) >> 23;
    float n = (float)((int32_t)exponent - 127);
    float f = tgr_float_of_bits(bits - ((exponent - 127u) << 23)) - 1.0f;
    float p = 0.0674702376f;
    p = p * f - 0.1167631f;
    p = p * f + 0.11888352f;
    p = p * f - 0.124055013f;
    p = p * f + 0.142195165f;
    p = p * f - 0.166679993f;
    p = p * f + 0.200021207f;
    p = p * f - 0.25000009f;
    p = p * f + 0.333333135f;
    float value = n * 0.693147181f + (f - f * f * (0.5f - f * p));
    return x > 0.0f ? value : NAN;
}

#endif

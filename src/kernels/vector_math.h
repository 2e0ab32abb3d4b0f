/* SPDX-License-Identifier: MIT */
/* What the vector row kernels are made of: sums in lanes, exp and the normal distribution as branch-free C.
 *
 * The vector_*.h files are a template: each file for one instruction set includes vector.h once and is compiled with
 * its own flags. Loops are plain C that compilers vectorise. A sum keeps one partial sum per lane, so that it
 * vectorises without licence to reorder, and so that its order is the same with any instruction set. */
#ifndef TGR_KERNELS_VECTOR_MATH_H
#define TGR_KERNELS_VECTOR_MATH_H

#include <math.h>
#include <stdint.h>
#include <string.h>

#define VECTOR_LANES 16

/* Before a loop whose iterations do not touch each other's elements, though its pointers may be equal (in place). */
#if defined(__clang__)
#define VECTOR_INDEPENDENT _Pragma("clang loop vectorize(assume_safety)")
#else
#define VECTOR_INDEPENDENT _Pragma("GCC ivdep")
#endif

/* The part of `count` that fills all lanes. */
static inline int64_t vector_full(int64_t count) {
    return count - count % VECTOR_LANES;
}

/* Adds the lanes by halves: 16 to 8 to 4 to 2 to 1. */
static inline float vector_lanes_sum(float *lanes) {
    for (int width = VECTOR_LANES / 2; width > 0; width /= 2)
        for (int j = 0; j < width; j++) lanes[j] += lanes[j + width];
    return lanes[0];
}

static inline float vector_from_bits(uint32_t bits) {
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

static inline uint32_t vector_to_bits(float value) {
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

/* exp within 2 units in the last place: 0 below -104, denormals, infinity above 88.73, NaN for NaN.
 * x = n·ln 2 + r, |r| <= ln 2 / 2; e^r by a polynomial; 2^n in two factors, since it may not be a float by itself. */
static inline float vector_exp(float x) {
    const float round = 12582912.0f; /* 1.5·2^23: adding it leaves the nearest integer in the low bits */
    x = x < -104.0f ? -104.0f : x;
    x = x > 89.0f ? 89.0f : x;
    float shifted = x * 1.44269504f + round;
    float n = shifted - round;
    float r = x - n * 0.693359375f; /* ln 2 in two parts: n times the first is exact */
    r = r + n * 2.12194440e-4f;
    float p = 1.392618359e-3f;
    p = p * r + 8.363179053e-3f;
    p = p * r + 4.166655462e-2f;
    p = p * r + 1.666657699e-1f;
    p = p * r + 0.5f;
    p = p * (r * r) + r + 1.0f;
    uint32_t biased = vector_to_bits(shifted) - vector_to_bits(round) + 256; /* n + 256, from 106 to 384 */
    uint32_t half = biased >> 1;
    float first = vector_from_bits((half - 1) << 23); /* exponents without bias: half - 128 and the rest of n */
    float second = vector_from_bits((biased - half - 1) << 23);
    return p * first * second;
}

/* Φ(-|x|), the lower tail of the normal distribution, given gauss = exp(-x²/2). Mills' ratio by a polynomial in
 * t = 1 / (1 + |x|/4), relative error 9e-8 for every x. */
static inline float vector_normal_tail(float x, float gauss) {
    float t = 1.0f / (1.0f + 0.25f * fabsf(x));
    float p = 0.0208148884f;
    p = p * t - 0.08538922994f;
    p = p * t + 0.1037988575f;
    p = p * t - 0.03974686337f;
    p = p * t + 0.06827399573f;
    p = p * t + 0.05744625824f;
    p = p * t + 0.08188963177f;
    p = p * t + 0.09343951471f;
    p = p * t + 0.09973739677f;
    p = p * t + 0.09973556104f;
    return p * t * gauss;
}

/* Φ(x), given gauss = exp(-x²/2). */
static inline float vector_normal(float x, float gauss) {
    float tail = vector_normal_tail(x, gauss);
    float rest = 1.0f - tail;
    return x > 0.0f ? rest : tail;
}

#endif

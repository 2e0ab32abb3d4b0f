/* SPDX-License-Identifier: MIT */
/* Template: GELU and its backward, by polynomials without exponentials. See vector/math.h.
 *
 * Φ(x) and GELU's slope Φ(x) + x·φ(x) are both odd about 1/2 and flat beyond ±5.75. With t = x / 5.75, clipped to ±1,
 * and u = 1 - t², both are 1/2 + t·(1/2 + u·R(u - 1/2)) with a polynomial R each: exactly 0 and 1 beyond. The
 * coefficients are printed by scripts/gelu_polynomial.py. */
#ifndef TGR_KERNELS_VECTOR_GELU_H
#define TGR_KERNELS_VECTOR_GELU_H

#include "kernels/vector/math.h"

#define VECTOR_GELU_BOUND 5.75f /* times its inverse as a float it is exactly 1 */

/* off by 1.00e-07 at most */
static const float vector_gelu_normal[14] = {0.414145976f, 0.584681809f, 0.94029218f, 1.58056498f, 2.67826009f,
                                             4.47354126f,  6.90383053f,  9.78063774f, 17.1137962f, 28.1123447f,
                                             12.8494806f,  -3.75842476f, 73.9790115f, 104.688416f};
/* off by 1.51e-07 at most */
static const float vector_gelu_slope[16] = {
    0.415325612f, 0.601811945f, 1.06747127f, 2.21799731f, 5.0593338f,  11.6750422f,  26.4293861f, 54.0043373f,
    85.2921677f,  136.871628f,  334.734741f, 490.276855f, 7.96679163f, -24.7931423f, 1565.87878f, 1647.77222f};

/* 1/2 + t·(1/2 + u·R(u - 1/2)) at x, which has been clipped from below. */
static inline float vector_gelu_curve(const float *r, int terms, float x, float one) {
    float t = x * (1.0f / VECTOR_GELU_BOUND);
    t = t > one ? one : t;
    float u = 1.0f - t * t;
    return 0.5f + t * (0.5f + u * vector_polynomial(r, terms, 0.5f - t * t));
}

static void vector_gelu(int64_t count, const float *x, float *y) {
    const float lowest = vector_hidden(-VECTOR_GELU_BOUND), one = vector_hidden(1.0f);
    VECTOR_INDEPENDENT
    for (int64_t i = 0; i < count; i++) {
        float cut = x[i] < lowest ? lowest : x[i];
        y[i] = cut * vector_gelu_curve(vector_gelu_normal, 14, cut, one);
    }
}

static void vector_gelu_backward(int64_t count, const float *x, const float *dy, float *y, float *dx) {
    const float lowest = vector_hidden(-VECTOR_GELU_BOUND), one = vector_hidden(1.0f);
    VECTOR_INDEPENDENT
    for (int64_t i = 0; i < count; i++) {
        float cut = x[i] < lowest ? lowest : x[i];
        y[i] = cut * vector_gelu_curve(vector_gelu_normal, 14, cut, one);
        dx[i] = dy[i] * vector_gelu_curve(vector_gelu_slope, 16, cut, one);
    }
}

#endif

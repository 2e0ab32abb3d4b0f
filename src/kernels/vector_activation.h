/* SPDX-License-Identifier: MIT */
/* Template: GELU and softmax with their ways back. See vector_math.h. */
#ifndef TGR_KERNELS_VECTOR_ACTIVATION_H
#define TGR_KERNELS_VECTOR_ACTIVATION_H

#include "kernels/vector_math.h"
#include "kernels/vector_sum.h"

static void vector_gelu(int64_t count, const float *x, float *y) {
    VECTOR_INDEPENDENT
    for (int64_t i = 0; i < count; i++) {
        float gauss = vector_exp(-0.5f * x[i] * x[i]);
        y[i] = x[i] * vector_normal(x[i], gauss);
    }
}

static void vector_gelu_backward(int64_t count, const float *x, const float *dy, float *dx) {
    const float root = 0.39894228f; /* 1 / sqrt(2π) */
    VECTOR_INDEPENDENT
    for (int64_t i = 0; i < count; i++) {
        float gauss = vector_exp(-0.5f * x[i] * x[i]);
        dx[i] = dy[i] * (vector_normal(x[i], gauss) + x[i] * (root * gauss));
    }
}

/* The largest of sign·x. A NaN may be passed over: it comes back through the exponentials. */
static inline float vector_largest(int64_t count, float sign, const float *x) {
    float lanes[VECTOR_LANES];
    int64_t full = vector_full(count);
    for (int j = 0; j < VECTOR_LANES; j++) lanes[j] = -INFINITY;
    for (int64_t i = 0; i < full; i += VECTOR_LANES) {
        VECTOR_EACH_LANE
        for (int j = 0; j < VECTOR_LANES; j++) lanes[j] = sign * x[i + j] > lanes[j] ? sign * x[i + j] : lanes[j];
    }
    for (int64_t i = full; i < count; i++) lanes[0] = sign * x[i] > lanes[0] ? sign * x[i] : lanes[0];
    float largest = lanes[0];
    for (int j = 1; j < VECTOR_LANES; j++) largest = lanes[j] > largest ? lanes[j] : largest;
    return largest;
}

/* y = exp(scale·(sign·x - shift)) in one lane each, y added to the lanes. */
static inline void vector_exp_lanes(float scale, float sign, float shift, const float *x, float *y, float *lanes) {
    VECTOR_EACH_LANE
    for (int j = 0; j < VECTOR_LANES; j++) {
        y[j] = vector_exp(scale * (sign * x[j] - shift));
        lanes[j] += y[j];
    }
}

/* The shift is taken off before scaling, so that the largest entry's exponent is exactly zero however large it is. */
static void vector_softmax(int64_t rows, int64_t columns, float scale, const float *x, float *y, float *lse) {
    float sign = scale < 0.0f ? -1.0f : 1.0f;
    float size = fabsf(scale);
    int64_t full = vector_full(columns);
    size_t rest = (size_t)(columns - full) * sizeof(float);
    for (int64_t r = 0; r < rows; r++, x += columns, y += columns) {
        float shift = vector_largest(columns, sign, x);
        float lanes[VECTOR_LANES] = {0};
        for (int64_t i = 0; i < full; i += VECTOR_LANES) vector_exp_lanes(size, sign, shift, x + i, y + i, lanes);
        if (rest > 0) {
            float last[VECTOR_LANES];
            for (int j = 0; j < VECTOR_LANES; j++) last[j] = -INFINITY * sign;
            memcpy(last, x + full, rest);
            vector_exp_lanes(size, sign, shift, last, last, lanes);
            memcpy(y + full, last, rest);
        }
        float sum = vector_lanes_sum(lanes);
        float inverse = 1.0f / sum;
        for (int64_t c = 0; c < columns; c++) y[c] *= inverse;
        if (lse) lse[r] = size * shift + logf(sum);
    }
}

static void vector_softmax_from_lse(int64_t rows, int64_t columns, float scale, const float *x, const float *lse,
                                    float *y) {
    for (int64_t r = 0; r < rows; r++, x += columns, y += columns) {
        float shift = lse[r];
        VECTOR_INDEPENDENT
        for (int64_t c = 0; c < columns; c++) y[c] = vector_exp(scale * x[c] - shift);
    }
}

static void vector_softmax_backward(int64_t rows, int64_t columns, float scale, const float *y, const float *dy,
                                    float *dx) {
    for (int64_t r = 0; r < rows; r++, y += columns, dy += columns, dx += columns) {
        float average = vector_dot(columns, y, dy);
        VECTOR_INDEPENDENT
        for (int64_t c = 0; c < columns; c++) dx[c] = scale * y[c] * (dy[c] - average);
    }
}

#endif

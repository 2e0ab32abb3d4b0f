/* SPDX-License-Identifier: MIT */
/* Template: softmax and its way back. See vector_math.h. */
#ifndef TGR_KERNELS_VECTOR_SOFTMAX_H
#define TGR_KERNELS_VECTOR_SOFTMAX_H

#include "kernels/vector_math.h"
#include "kernels/vector_sum.h"

static inline float vector_larger(float a, float b) {
    return a > b ? a : b;
}

/* The largest lane, by halves. */
static inline float vector_lanes_largest(const float *lanes) {
    float eight[8], four[4];
    VECTOR_EACH_LANE
    for (int j = 0; j < 8; j++) eight[j] = vector_larger(lanes[j], lanes[j + 8]);
    VECTOR_EACH_LANE
    for (int j = 0; j < 4; j++) four[j] = vector_larger(eight[j], eight[j + 4]);
    return vector_larger(vector_larger(four[0], four[2]), vector_larger(four[1], four[3]));
}

/* What is left of a row when it has filled all lanes as often as it can: lane j gets entry `from`[j] of it, and counts
 * in a sum with weight `counted`[j]. Lanes beyond the row's end get its first left entry again, with weight 0. (Copying
 * to an array of all lanes would stall: a wide load of what narrow stores have just written.) */
typedef struct vector_rest {
    int32_t from[VECTOR_LANES];
    float counted[VECTOR_LANES];
} vector_rest;

static inline vector_rest vector_rest_of(int64_t count) {
    vector_rest rest;
    for (int j = 0; j < VECTOR_LANES; j++) {
        rest.from[j] = j < count % VECTOR_LANES ? j : 0;
        rest.counted[j] = j < count % VECTOR_LANES ? 1.0f : 0.0f;
    }
    return rest;
}

/* The largest of sign·x. A NaN may be passed over: it comes back through the exponentials. */
static inline float vector_largest(int64_t count, const vector_rest *rest, float sign, const float *x) {
    float lanes[VECTOR_LANES];
    int64_t full = vector_full(count);
    for (int j = 0; j < VECTOR_LANES; j++) lanes[j] = -INFINITY;
    for (int64_t i = 0; i < full; i += VECTOR_LANES) {
        VECTOR_EACH_LANE
        for (int j = 0; j < VECTOR_LANES; j++) lanes[j] = vector_larger(sign * x[i + j], lanes[j]);
    }
    if (full == count) return vector_lanes_largest(lanes);
    VECTOR_EACH_LANE
    for (int j = 0; j < VECTOR_LANES; j++) lanes[j] = vector_larger(sign * x[full + rest->from[j]], lanes[j]);
    return vector_lanes_largest(lanes);
}

/* y = exp(scale·(sign·x - shift)); returns Σ y. */
static inline float vector_exp_row(int64_t count, const vector_rest *rest, float scale, float sign, float shift,
                                   const float *x, float *y) {
    float lanes[VECTOR_LANES] = {0}, last[VECTOR_LANES];
    int64_t full = vector_full(count);
    for (int64_t i = 0; i < full; i += VECTOR_LANES) {
        VECTOR_EACH_LANE
        for (int j = 0; j < VECTOR_LANES; j++) {
            y[i + j] = vector_exp(scale * (sign * x[i + j] - shift));
            lanes[j] += y[i + j];
        }
    }
    if (full == count) return vector_lanes_sum(lanes);
    VECTOR_EACH_LANE
    for (int j = 0; j < VECTOR_LANES; j++) {
        last[j] = vector_exp(scale * (sign * x[full + rest->from[j]] - shift));
        lanes[j] += last[j] * rest->counted[j];
    }
    memcpy(y + full, last, (size_t)(count - full) * sizeof(float));
    return vector_lanes_sum(lanes);
}

/* The shift is taken off before scaling, so that the largest entry's exponent is exactly zero however large it is.
 * A few rows go through each step together: one row's steps wait for each other, those of different rows do not. */
static void vector_softmax(int64_t rows, int64_t columns, float scale, const float *x, float *y, float *lse) {
    enum { TOGETHER = 8 };
    float sign = scale < 0.0f ? -1.0f : 1.0f, size = fabsf(scale);
    float shifts[TOGETHER], sums[TOGETHER];
    vector_rest rest = vector_rest_of(columns);
    for (int64_t first = 0; first < rows; first += TOGETHER) {
        int64_t some = rows - first < TOGETHER ? rows - first : TOGETHER;
        const float *x_rows = x + first * columns;
        float *y_rows = y + first * columns;
        for (int64_t r = 0; r < some; r++) shifts[r] = vector_largest(columns, &rest, sign, x_rows + r * columns);
        for (int64_t r = 0; r < some; r++)
            sums[r] = vector_exp_row(columns, &rest, size, sign, shifts[r], x_rows + r * columns, y_rows + r * columns);
        for (int64_t r = 0; r < some; r++) {
            float inverse = 1.0f / sums[r];
            for (int64_t c = 0; c < columns; c++) y_rows[r * columns + c] *= inverse;
        }
        for (int64_t r = 0; r < some && lse; r++) lse[first + r] = size * shifts[r] + logf(sums[r]);
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

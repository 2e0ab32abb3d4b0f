/* SPDX-License-Identifier: MIT */
/* Template: sums and scaled sums of vectors and rows. See vector/math.h. */
#ifndef TGR_KERNELS_VECTOR_SUM_H
#define TGR_KERNELS_VECTOR_SUM_H

#include "kernels/vector/math.h"

static void vector_add(int64_t count, const float *x, float *y) {
    VECTOR_INDEPENDENT
    for (int64_t i = 0; i < count; i++) y[i] += x[i];
}

static void vector_axpy(int64_t count, float a, const float *x, float *y) {
    VECTOR_INDEPENDENT
    for (int64_t i = 0; i < count; i++) y[i] += a * x[i];
}

static void vector_add_scaled(int64_t rows, int64_t columns, const float *scale, const float *row_scale, const float *x,
                              float *y) {
    for (int64_t r = 0; r < rows; r++, x += columns, y += columns) {
        float factor = row_scale ? row_scale[r] : 1.0f;
        if (!scale) {
            vector_axpy(columns, factor, x, y);
            continue;
        }
        VECTOR_INDEPENDENT
        for (int64_t c = 0; c < columns; c++) y[c] += scale[c] * factor * x[c];
    }
}

static void vector_add_scaled_backward(int64_t rows, int64_t columns, const float *scale, const float *row_scale,
                                       const float *x, const float *dy, float *dx, float *dscale) {
    for (int64_t r = 0; r < rows; r++) {
        float factor = row_scale ? row_scale[r] : 1.0f;
        const float *x_row = scale ? x + r * columns : NULL, *dy_row = dy + r * columns;
        float *dx_row = dx + r * columns;
        if (!scale) {
            VECTOR_INDEPENDENT
            for (int64_t c = 0; c < columns; c++) dx_row[c] = factor * dy_row[c];
            continue;
        }
        VECTOR_INDEPENDENT
        for (int64_t c = 0; c < columns; c++) {
            float d = factor * dy_row[c];
            dscale[c] += x_row[c] * d;
            dx_row[c] = scale[c] * d;
        }
    }
}

/* Four rows at a time, so that `sum` is loaded and stored less often; the order is still r ascending. */
static void vector_column_sum(int64_t rows, int64_t columns, const float *x, float *sum) {
    int64_t r = 0;
    for (; r + 4 <= rows; r += 4, x += 4 * columns) {
        const float *x1 = x + columns, *x2 = x1 + columns, *x3 = x2 + columns;
        VECTOR_INDEPENDENT
        for (int64_t c = 0; c < columns; c++) sum[c] = (((sum[c] + x[c]) + x1[c]) + x2[c]) + x3[c];
    }
    for (; r < rows; r++, x += columns) vector_add(columns, x, sum);
}

/* Σ x·y of a row, given its end. */
static inline float vector_dot_row(int64_t count, const vector_end *end, const float *x, const float *y) {
    float lanes[VECTOR_LANES];
    if (count < VECTOR_LANES) {
        float sum = 0.0f;
        for (int64_t i = 0; i < count; i++) sum += x[i] * y[i];
        return sum;
    }
    VECTOR_EACH_LANE
    for (int j = 0; j < VECTOR_LANES; j++)
        lanes[j] = end->fresh[j] > 0.0f ? x[end->start + j] * y[end->start + j] : 0.0f;
    for (int64_t i = 0; i < count - VECTOR_LANES; i += VECTOR_LANES) {
        VECTOR_EACH_LANE
        for (int j = 0; j < VECTOR_LANES; j++) lanes[j] += x[i + j] * y[i + j];
    }
    return vector_lanes_sum(lanes);
}

static float vector_dot(int64_t count, const float *x, const float *y) {
    float lanes[VECTOR_LANES] = {0};
    int64_t full = vector_full(count);
    for (int64_t i = 0; i < full; i += VECTOR_LANES) {
        VECTOR_EACH_LANE
        for (int j = 0; j < VECTOR_LANES; j++) lanes[j] += x[i + j] * y[i + j];
    }
    for (int64_t i = full; i < count; i++) lanes[i - full] += x[i] * y[i];
    return vector_lanes_sum(lanes);
}

/* In double no square of a float overflows, so the sum is infinite or NaN only if some x is. */
static double vector_sum_squares(int64_t count, const float *x) {
    double lanes[VECTOR_LANES] = {0};
    int64_t full = vector_full(count);
    for (int64_t i = 0; i < full; i += VECTOR_LANES) {
        VECTOR_EACH_LANE
        for (int j = 0; j < VECTOR_LANES; j++) lanes[j] += (double)x[i + j] * (double)x[i + j];
    }
    for (int64_t i = full; i < count; i++) lanes[i - full] += (double)x[i] * (double)x[i];
    double sum = 0;
    for (int j = 0; j < VECTOR_LANES; j++) sum += lanes[j];
    return sum;
}

#endif

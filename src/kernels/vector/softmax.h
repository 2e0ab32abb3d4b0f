/* SPDX-License-Identifier: MIT */
/* Template: softmax and its backward. See vector/math.h.
 *
 * A few rows go through each step together: the steps of one row wait for each other, those of several rows do not. A
 * row's last entries are handled in a vector that overlaps the one before: computing some of them twice costs less than
 * one by one. Rows shorter than a vector are joined for operations on single entries. */
#ifndef TGR_KERNELS_VECTOR_SOFTMAX_H
#define TGR_KERNELS_VECTOR_SOFTMAX_H

#include "kernels/vector/math.h"
#include "kernels/vector/sum.h"

enum { VECTOR_SHORT_ROWS_TOGETHER = 32 };

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

/* The entry that is the largest after scaling: x is compared as sign·x. A NaN may be missed here: it reappears through
 * the exponentials. */
static inline float vector_extreme(int64_t count, float sign, const float *x) {
    float lanes[VECTOR_LANES];
    const float *end = x + count - VECTOR_LANES;
    VECTOR_EACH_LANE
    for (int j = 0; j < VECTOR_LANES; j++) lanes[j] = sign * end[j];
    for (int64_t i = 0; i < count - VECTOR_LANES; i += VECTOR_LANES) {
        VECTOR_EACH_LANE
        for (int j = 0; j < VECTOR_LANES; j++) lanes[j] = vector_larger(sign * x[i + j], lanes[j]);
    }
    return sign * vector_lanes_largest(lanes);
}

/* y = exp(scale·(x - extreme)); returns Σ y. The extreme is subtracted before scaling, so that its exponent is exactly
 * zero however large it is. */
static inline float vector_exp_row(int64_t count, const vector_end *end, float scale, float extreme, const float *x,
                                   float *y) {
    float lanes[VECTOR_LANES], last[VECTOR_LANES];
    VECTOR_EACH_LANE
    for (int j = 0; j < VECTOR_LANES; j++) {
        last[j] = vector_exp(scale * (x[end->start + j] - extreme));
        lanes[j] = end->fresh[j] > 0.0f ? last[j] : 0.0f;
    }
    for (int64_t i = 0; i < count - VECTOR_LANES; i += VECTOR_LANES) {
        VECTOR_EACH_LANE
        for (int j = 0; j < VECTOR_LANES; j++) {
            y[i + j] = vector_exp(scale * (x[i + j] - extreme));
            lanes[j] += y[i + j];
        }
    }
    memcpy(y + end->start, last, sizeof last);
    return vector_lanes_sum(lanes);
}

static inline void vector_scale_row(int64_t count, const vector_end *end, float scale, float *y) {
    float last[VECTOR_LANES];
    VECTOR_EACH_LANE
    for (int j = 0; j < VECTOR_LANES; j++) last[j] = y[end->start + j] * scale;
    for (int64_t i = 0; i < count - VECTOR_LANES; i += VECTOR_LANES) {
        VECTOR_EACH_LANE
        for (int j = 0; j < VECTOR_LANES; j++) y[i + j] *= scale;
    }
    memcpy(y + end->start, last, sizeof last);
}

static inline void vector_lse(int64_t rows, float scale, const float *extremes, const float *sums, float *lse) {
    for (int64_t r = 0; r < rows; r++) lse[r] = scale * extremes[r] + vector_log(sums[r]);
}

static inline void vector_softmax_some(int64_t rows, int64_t columns, const vector_end *end, float scale,
                                       const float *x, float *y, float *lse) {
    float extremes[VECTOR_ROWS_TOGETHER], sums[VECTOR_ROWS_TOGETHER], sign = scale < 0.0f ? -1.0f : 1.0f;
    for (int64_t r = 0; r < rows; r++) extremes[r] = vector_extreme(columns, sign, x + r * columns);
    for (int64_t r = 0; r < rows; r++)
        sums[r] = vector_exp_row(columns, end, scale, extremes[r], x + r * columns, y + r * columns);
    for (int64_t r = 0; r < rows; r++) vector_scale_row(columns, end, 1.0f / sums[r], y + r * columns);
    if (lse) vector_lse(rows, scale, extremes, sums, lse);
}

static inline void vector_softmax_some_short(int64_t rows, int64_t columns, float scale, const float *x, float *y,
                                             float *lse) {
    float extremes[VECTOR_SHORT_ROWS_TOGETHER], sums[VECTOR_SHORT_ROWS_TOGETHER], sign = scale < 0.0f ? -1.0f : 1.0f;
    for (int64_t r = 0; r < rows; r++) {
        float largest = sign * x[r * columns];
        for (int64_t c = 1; c < columns; c++) largest = vector_larger(sign * x[r * columns + c], largest);
        extremes[r] = sign * largest;
        for (int64_t c = 0; c < columns; c++) y[r * columns + c] = scale * (x[r * columns + c] - extremes[r]);
    }
    for (int64_t i = 0; i < rows * columns; i++) y[i] = vector_exp(y[i]);
    for (int64_t r = 0; r < rows; r++) {
        float sum = 0.0f;
        for (int64_t c = 0; c < columns; c++) sum += y[r * columns + c];
        sums[r] = sum;
        for (int64_t c = 0; c < columns; c++) y[r * columns + c] *= 1.0f / sum;
    }
    if (lse) vector_lse(rows, scale, extremes, sums, lse);
}

static void vector_softmax(int64_t rows, int64_t columns, float scale, const float *x, float *y, float *lse) {
    int is_short = columns < VECTOR_LANES;
    int64_t together = is_short ? VECTOR_SHORT_ROWS_TOGETHER : VECTOR_ROWS_TOGETHER;
    vector_end end = vector_end_of(columns);
    for (int64_t r = 0; r < rows; r += together) {
        int64_t some = rows - r < together ? rows - r : together;
        const float *x_rows = x + r * columns;
        float *y_rows = y + r * columns, *lse_rows = lse ? lse + r : NULL;
        if (is_short)
            vector_softmax_some_short(some, columns, scale, x_rows, y_rows, lse_rows);
        else
            vector_softmax_some(some, columns, &end, scale, x_rows, y_rows, lse_rows);
    }
}

static void vector_softmax_from_lse(int64_t rows, int64_t columns, float scale, const float *x, const float *lse,
                                    float *y) {
    vector_end end = vector_end_of(columns);
    for (int64_t r = 0; r < rows; r++, x += columns, y += columns) {
        float shift = lse[r], last[VECTOR_LANES];
        if (columns < VECTOR_LANES) {
            for (int64_t c = 0; c < columns; c++) y[c] = vector_exp(scale * x[c] - shift);
            continue;
        }
        VECTOR_EACH_LANE
        for (int j = 0; j < VECTOR_LANES; j++) last[j] = vector_exp(scale * x[end.start + j] - shift);
        for (int64_t i = 0; i < columns - VECTOR_LANES; i += VECTOR_LANES) {
            VECTOR_EACH_LANE
            for (int j = 0; j < VECTOR_LANES; j++) y[i + j] = vector_exp(scale * x[i + j] - shift);
        }
        memcpy(y + end.start, last, sizeof last);
    }
}

static inline float vector_softmax_slope(float scale, float y, float dy, float average) {
    return scale * y * (dy - average);
}

static inline void vector_softmax_backward_row(int64_t count, const vector_end *end, float scale, float average,
                                               const float *y, const float *dy, float *dx) {
    float last[VECTOR_LANES];
    if (count < VECTOR_LANES) {
        for (int64_t c = 0; c < count; c++) dx[c] = vector_softmax_slope(scale, y[c], dy[c], average);
        return;
    }
    VECTOR_EACH_LANE
    for (int j = 0; j < VECTOR_LANES; j++)
        last[j] = vector_softmax_slope(scale, y[end->start + j], dy[end->start + j], average);
    for (int64_t i = 0; i < count - VECTOR_LANES; i += VECTOR_LANES) {
        VECTOR_EACH_LANE
        for (int j = 0; j < VECTOR_LANES; j++) dx[i + j] = vector_softmax_slope(scale, y[i + j], dy[i + j], average);
    }
    memcpy(dx + end->start, last, sizeof last);
}

static void vector_softmax_backward(int64_t rows, int64_t columns, float scale, const float *y, const float *dy,
                                    float *dx) {
    float averages[VECTOR_ROWS_TOGETHER];
    vector_end end = vector_end_of(columns);
    for (int64_t first = 0; first < rows; first += VECTOR_ROWS_TOGETHER) {
        int64_t last = rows - first < VECTOR_ROWS_TOGETHER ? rows : first + VECTOR_ROWS_TOGETHER;
        for (int64_t r = first; r < last; r++)
            averages[r - first] = vector_dot_row(columns, &end, y + r * columns, dy + r * columns);
        for (int64_t r = first; r < last; r++)
            vector_softmax_backward_row(columns, &end, scale, averages[r - first], y + r * columns, dy + r * columns,
                                        dx + r * columns);
    }
}

#endif

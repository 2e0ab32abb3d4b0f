/* SPDX-License-Identifier: MIT */
/* Template: LayerNorm (Ba et al., 2016) and its way back. See vector_math.h. */
#ifndef TGR_KERNELS_VECTOR_NORM_H
#define TGR_KERNELS_VECTOR_NORM_H

#include "kernels/vector_math.h"

static inline float vector_sum(int64_t count, const vector_end *end, const float *x) {
    float lanes[VECTOR_LANES], sum = 0.0f;
    if (count < VECTOR_LANES) {
        for (int64_t i = 0; i < count; i++) sum += x[i];
        return sum;
    }
    VECTOR_EACH_LANE
    for (int j = 0; j < VECTOR_LANES; j++) lanes[j] = end->fresh[j] > 0.0f ? x[end->start + j] : 0.0f;
    for (int64_t i = 0; i < count - VECTOR_LANES; i += VECTOR_LANES) {
        VECTOR_EACH_LANE
        for (int j = 0; j < VECTOR_LANES; j++) lanes[j] += x[i + j];
    }
    return vector_lanes_sum(lanes);
}

static inline float vector_square(float x) {
    return x * x;
}

/* Σ (x - mean)² */
static inline float vector_squared_distance(int64_t count, const vector_end *end, const float *x, float mean) {
    float lanes[VECTOR_LANES], sum = 0.0f;
    if (count < VECTOR_LANES) {
        for (int64_t i = 0; i < count; i++) sum += vector_square(x[i] - mean);
        return sum;
    }
    VECTOR_EACH_LANE
    for (int j = 0; j < VECTOR_LANES; j++)
        lanes[j] = end->fresh[j] > 0.0f ? vector_square(x[end->start + j] - mean) : 0.0f;
    for (int64_t i = 0; i < count - VECTOR_LANES; i += VECTOR_LANES) {
        VECTOR_EACH_LANE
        for (int j = 0; j < VECTOR_LANES; j++) lanes[j] += vector_square(x[i + j] - mean);
    }
    return vector_lanes_sum(lanes);
}

/* Some rows take each step together: the sums of one row wait for each other, those of several rows do not. */
static inline void vector_layer_norm_some(int64_t rows, int64_t columns, const vector_end *end, const float *x,
                                          const float *weight, const float *bias, float epsilon, float *y, float *mean,
                                          float *rstd) {
    for (int64_t r = 0; r < rows; r++) mean[r] = vector_sum(columns, end, x + r * columns) / (float)columns;
    for (int64_t r = 0; r < rows; r++) rstd[r] = vector_squared_distance(columns, end, x + r * columns, mean[r]);
    for (int64_t r = 0; r < rows; r++) rstd[r] = 1.0f / sqrtf(rstd[r] / (float)columns + epsilon);
    for (int64_t r = 0; r < rows; r++) {
        const float *x_row = x + r * columns;
        float m = mean[r], s = rstd[r];
        float *y_row = y + r * columns;
        VECTOR_INDEPENDENT
        for (int64_t c = 0; c < columns; c++) y_row[c] = (x_row[c] - m) * s * weight[c] + bias[c];
    }
}

static void vector_layer_norm(int64_t rows, int64_t columns, const float *x, const float *weight, const float *bias,
                              float epsilon, float *y, float *mean, float *rstd) {
    vector_end end = vector_end_of(columns);
    for (int64_t r = 0; r < rows; r += VECTOR_ROWS_TOGETHER) {
        int64_t some = rows - r < VECTOR_ROWS_TOGETHER ? rows - r : VECTOR_ROWS_TOGETHER;
        vector_layer_norm_some(some, columns, &end, x + r * columns, weight, bias, epsilon, y + r * columns, mean + r,
                               rstd + r);
    }
}

/* What a row's entries share in its way back; with g and h as in vector_layer_norm_backward. */
typedef struct vector_norm_row {
    float mean, rstd, average_g, average_gh;
} vector_norm_row;

static inline vector_norm_row vector_norm_row_of(int64_t columns, const vector_end *end, const float *x,
                                                 const float *weight, float mean, float rstd, const float *dy) {
    float g[VECTOR_LANES], gh[VECTOR_LANES];
    float sum_g = 0.0f, sum_gh = 0.0f;
    for (int64_t i = 0; columns < VECTOR_LANES && i < columns; i++) {
        sum_g += dy[i] * weight[i];
        sum_gh += dy[i] * weight[i] * ((x[i] - mean) * rstd);
    }
    if (columns >= VECTOR_LANES) {
        VECTOR_EACH_LANE
        for (int j = 0; j < VECTOR_LANES; j++) {
            g[j] = end->fresh[j] > 0.0f ? dy[end->start + j] * weight[end->start + j] : 0.0f;
            gh[j] = g[j] * ((x[end->start + j] - mean) * rstd);
        }
        for (int64_t i = 0; i < columns - VECTOR_LANES; i += VECTOR_LANES) {
            VECTOR_EACH_LANE
            for (int j = 0; j < VECTOR_LANES; j++) {
                float product = dy[i + j] * weight[i + j];
                g[j] += product;
                gh[j] += product * ((x[i + j] - mean) * rstd);
            }
        }
        sum_g = vector_lanes_sum(g);
        sum_gh = vector_lanes_sum(gh);
    }
    return (vector_norm_row){mean, rstd, sum_g / (float)columns, sum_gh / (float)columns};
}

/* One entry's dx, and what it adds to dweight. */
static inline float vector_norm_slope(const vector_norm_row *row, float x, float w, float d, float *dw) {
    float h = (x - row->mean) * row->rstd;
    *dw += d * h;
    return row->rstd * (d * w - row->average_g - h * row->average_gh);
}

/* Two rows at a time, so that dweight and dbias are loaded and stored less often; the order stays r ascending. */
static inline void vector_norm_backward_two(int64_t columns, const vector_norm_row rows[2], const float *x,
                                            const float *weight, const float *dy, int accumulate, float *dx,
                                            float *dweight, float *dbias) {
    const vector_norm_row row0 = rows[0], row1 = rows[1];
    const float *x1 = x + columns, *dy1 = dy + columns;
    float *dx1 = dx + columns;
    VECTOR_INDEPENDENT
    for (int64_t c = 0; c < columns; c++) {
        float w = weight[c], dw = dweight[c], d0 = dy[c], d1 = dy1[c];
        float change0 = vector_norm_slope(&row0, x[c], w, d0, &dw);
        float change1 = vector_norm_slope(&row1, x1[c], w, d1, &dw);
        dweight[c] = dw;
        dbias[c] = (dbias[c] + d0) + d1;
        dx[c] = accumulate ? dx[c] + change0 : change0;
        dx1[c] = accumulate ? dx1[c] + change1 : change1;
    }
}

static inline void vector_norm_backward_one(int64_t columns, const vector_norm_row *row, const float *x,
                                            const float *weight, const float *dy, int accumulate, float *dx,
                                            float *dweight, float *dbias) {
    const vector_norm_row row0 = *row;
    VECTOR_INDEPENDENT
    for (int64_t c = 0; c < columns; c++) {
        float dw = dweight[c], d = dy[c];
        float change = vector_norm_slope(&row0, x[c], weight[c], d, &dw);
        dweight[c] = dw;
        dbias[c] += d;
        dx[c] = accumulate ? dx[c] + change : change;
    }
}

/* With h = (x - mean)·rstd and g = dy·weight: dx = rstd·(g - avg(g) - h·avg(g·h)). */
static void vector_layer_norm_backward(int64_t rows, int64_t columns, const float *x, const float *weight,
                                       const float *mean, const float *rstd, const float *dy, int accumulate, float *dx,
                                       float *dweight, float *dbias) {
    vector_end end = vector_end_of(columns);
    vector_norm_row some[VECTOR_ROWS_TOGETHER];
    for (int64_t first = 0; first < rows; first += VECTOR_ROWS_TOGETHER) {
        int64_t last = rows - first < VECTOR_ROWS_TOGETHER ? rows : first + VECTOR_ROWS_TOGETHER, r;
        for (r = first; r < last; r++)
            some[r - first] =
                vector_norm_row_of(columns, &end, x + r * columns, weight, mean[r], rstd[r], dy + r * columns);
        for (r = first; r + 2 <= last; r += 2)
            vector_norm_backward_two(columns, some + (r - first), x + r * columns, weight, dy + r * columns, accumulate,
                                     dx + r * columns, dweight, dbias);
        if (r < last)
            vector_norm_backward_one(columns, some + (r - first), x + r * columns, weight, dy + r * columns, accumulate,
                                     dx + r * columns, dweight, dbias);
    }
}

#endif

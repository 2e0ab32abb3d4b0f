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

/* Four rows at a time, so that dweight and dbias are loaded and stored less often; the order stays r ascending. */
static inline void vector_norm_backward_four(int64_t columns, const vector_norm_row rows[4], const float *x,
                                             const float *weight, const float *dy, int accumulate, float *dx,
                                             float *dweight, float *dbias) {
    const vector_norm_row row0 = rows[0], row1 = rows[1], row2 = rows[2], row3 = rows[3];
    const float *x1 = x + columns, *x2 = x1 + columns, *x3 = x2 + columns;
    const float *dy1 = dy + columns, *dy2 = dy1 + columns, *dy3 = dy2 + columns;
    float *dx1 = dx + columns, *dx2 = dx1 + columns, *dx3 = dx2 + columns;
    VECTOR_INDEPENDENT
    for (int64_t c = 0; c < columns; c++) {
        float w = weight[c], dw = dweight[c], d0 = dy[c], d1 = dy1[c], d2 = dy2[c], d3 = dy3[c];
        float change0 = vector_norm_slope(&row0, x[c], w, d0, &dw);
        float change1 = vector_norm_slope(&row1, x1[c], w, d1, &dw);
        float change2 = vector_norm_slope(&row2, x2[c], w, d2, &dw);
        float change3 = vector_norm_slope(&row3, x3[c], w, d3, &dw);
        dweight[c] = dw;
        dbias[c] = (((dbias[c] + d0) + d1) + d2) + d3;
        dx[c] = accumulate ? dx[c] + change0 : change0;
        dx1[c] = accumulate ? dx1[c] + change1 : change1;
        dx2[c] = accumulate ? dx2[c] + change2 : change2;
        dx3[c] = accumulate ? dx3[c] + change3 : change3;
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
    vector_norm_row four[4];
    for (int64_t r = 0; r < rows; r += 4, x += 4 * columns, dy += 4 * columns, dx += 4 * columns) {
        int64_t some = rows - r < 4 ? rows - r : 4;
        for (int64_t i = 0; i < some; i++)
            four[i] =
                vector_norm_row_of(columns, &end, x + i * columns, weight, mean[r + i], rstd[r + i], dy + i * columns);
        if (some == 4) {
            vector_norm_backward_four(columns, four, x, weight, dy, accumulate, dx, dweight, dbias);
            continue;
        }
        for (int64_t i = 0; i < some; i++)
            vector_norm_backward_one(columns, four + i, x + i * columns, weight, dy + i * columns, accumulate,
                                     dx + i * columns, dweight, dbias);
    }
}

#endif

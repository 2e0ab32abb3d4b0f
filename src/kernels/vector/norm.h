/* SPDX-License-Identifier: MIT */
/* Template: LayerNorm (Ba et al., 2016) and its backward. See vector/math.h. */
#ifndef TGR_KERNELS_VECTOR_NORM_H
#define TGR_KERNELS_VECTOR_NORM_H

#include "kernels/vector/math.h"

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

/* A few rows go through each step together: the sums of one row wait for each other, those of several rows do not. */
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

/* What the entries of a row share in backward; g and h as in vector_layer_norm_backward. */
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

/* With h = (x - mean)·rstd and g = dy·weight: dx = rstd·(g - avg(g) - h·avg(g·h)). */
static void vector_layer_norm_backward(int64_t rows, int64_t columns, const float *x, const float *weight,
                                       const float *mean, const float *rstd, const float *dy, int accumulate, float *dx,
                                       float *dweight, float *dbias) {
    vector_end end = vector_end_of(columns);
    for (int64_t r = 0; r < rows; r++, x += columns, dy += columns, dx += columns) {
        const vector_norm_row row = vector_norm_row_of(columns, &end, x, weight, mean[r], rstd[r], dy);
        VECTOR_INDEPENDENT
        for (int64_t c = 0; c < columns; c++) {
            float h = (x[c] - row.mean) * row.rstd, d = dy[c];
            dweight[c] += d * h;
            dbias[c] += d;
            float change = row.rstd * (d * weight[c] - row.average_g - h * row.average_gh);
            dx[c] = accumulate ? dx[c] + change : change;
        }
    }
}

#endif

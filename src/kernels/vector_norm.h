/* SPDX-License-Identifier: MIT */
/* Template: LayerNorm (Ba et al., 2016) and its way back. See vector_math.h. */
#ifndef TGR_KERNELS_VECTOR_NORM_H
#define TGR_KERNELS_VECTOR_NORM_H

#include "kernels/vector_math.h"

static inline float vector_sum(int64_t count, const float *x) {
    float lanes[VECTOR_LANES] = {0};
    int64_t full = vector_full(count);
    for (int64_t i = 0; i < full; i += VECTOR_LANES) {
        VECTOR_EACH_LANE
        for (int j = 0; j < VECTOR_LANES; j++) lanes[j] += x[i + j];
    }
    for (int64_t i = full; i < count; i++) lanes[i - full] += x[i];
    return vector_lanes_sum(lanes);
}

/* Σ (x - mean)² */
static inline float vector_squared_distance(int64_t count, const float *x, float mean) {
    float lanes[VECTOR_LANES] = {0};
    int64_t full = vector_full(count);
    for (int64_t i = 0; i < full; i += VECTOR_LANES) {
        VECTOR_EACH_LANE
        for (int j = 0; j < VECTOR_LANES; j++) lanes[j] += (x[i + j] - mean) * (x[i + j] - mean);
    }
    for (int64_t i = full; i < count; i++) lanes[i - full] += (x[i] - mean) * (x[i] - mean);
    return vector_lanes_sum(lanes);
}

static void vector_layer_norm(int64_t rows, int64_t columns, const float *x, const float *weight, const float *bias,
                              float epsilon, float *y, float *mean, float *rstd) {
    for (int64_t r = 0; r < rows; r++, x += columns, y += columns) {
        float m = vector_sum(columns, x) / (float)columns;
        float s = 1.0f / sqrtf(vector_squared_distance(columns, x, m) / (float)columns + epsilon);
        mean[r] = m;
        rstd[r] = s;
        VECTOR_INDEPENDENT
        for (int64_t c = 0; c < columns; c++) y[c] = (x[c] - m) * s * weight[c] + bias[c];
    }
}

/* With h = (x - mean)·rstd and g = dy·weight: dx = rstd·(g - avg(g) - h·avg(g·h)). */
static void vector_layer_norm_backward(int64_t rows, int64_t columns, const float *x, const float *weight,
                                       const float *mean, const float *rstd, const float *dy, int accumulate, float *dx,
                                       float *dweight, float *dbias) {
    int64_t full = vector_full(columns);
    for (int64_t r = 0; r < rows; r++, x += columns, dy += columns, dx += columns) {
        float m = mean[r], s = rstd[r];
        float sum_g[VECTOR_LANES] = {0}, sum_gh[VECTOR_LANES] = {0};
        for (int64_t i = 0; i < full; i += VECTOR_LANES) {
            VECTOR_EACH_LANE
            for (int j = 0; j < VECTOR_LANES; j++) {
                float g = dy[i + j] * weight[i + j];
                sum_g[j] += g;
                sum_gh[j] += g * ((x[i + j] - m) * s);
            }
        }
        for (int64_t i = full; i < columns; i++) {
            float g = dy[i] * weight[i];
            sum_g[i - full] += g;
            sum_gh[i - full] += g * ((x[i] - m) * s);
        }
        float average_g = vector_lanes_sum(sum_g) / (float)columns;
        float average_gh = vector_lanes_sum(sum_gh) / (float)columns;
        VECTOR_INDEPENDENT
        for (int64_t c = 0; c < columns; c++) {
            float h = (x[c] - m) * s, d = dy[c];
            dweight[c] += d * h;
            dbias[c] += d;
            float change = s * (d * weight[c] - average_g - h * average_gh);
            dx[c] = accumulate ? dx[c] + change : change;
        }
    }
}

#endif

/* SPDX-License-Identifier: MIT */
/* The row kernels just as their formulas say, with libm: the reference for the fast ones, and a fallback. */
#include <math.h>

#include "kernels/kernels.h"
#include "kernels/variants.h"

static float portable_dot(int64_t count, const float *x, const float *y) {
    float sum = 0.0f;
    for (int64_t i = 0; i < count; i++) sum += x[i] * y[i];
    return sum;
}

static double portable_sum_squares(int64_t count, const float *x) {
    double sum = 0.0;
    for (int64_t i = 0; i < count; i++) sum += (double)x[i] * (double)x[i];
    return sum;
}

static void portable_layer_norm(int64_t rows, int64_t columns, const float *x, const float *weight, const float *bias,
                                float epsilon, float *y, float *mean, float *rstd) {
    for (int64_t r = 0; r < rows; r++, x += columns, y += columns) {
        float sum = 0.0f, squares = 0.0f;
        for (int64_t c = 0; c < columns; c++) sum += x[c];
        mean[r] = sum / (float)columns;
        for (int64_t c = 0; c < columns; c++) squares += (x[c] - mean[r]) * (x[c] - mean[r]);
        rstd[r] = 1.0f / sqrtf(squares / (float)columns + epsilon);
        for (int64_t c = 0; c < columns; c++) y[c] = (x[c] - mean[r]) * rstd[r] * weight[c] + bias[c];
    }
}

/* With h = (x - mean)·rstd and g = dy·weight: dx = rstd·(g - avg(g) - h·avg(g·h)). */
static void portable_layer_norm_backward(int64_t rows, int64_t columns, const float *x, const float *weight,
                                         const float *mean, const float *rstd, const float *dy, int accumulate,
                                         float *dx, float *dweight, float *dbias) {
    for (int64_t r = 0; r < rows; r++, x += columns, dy += columns, dx += columns) {
        float sum_g = 0.0f, sum_gh = 0.0f;
        for (int64_t c = 0; c < columns; c++) {
            sum_g += dy[c] * weight[c];
            sum_gh += dy[c] * weight[c] * (x[c] - mean[r]) * rstd[r];
        }
        for (int64_t c = 0; c < columns; c++) {
            float h = (x[c] - mean[r]) * rstd[r], g = dy[c] * weight[c];
            dweight[c] += dy[c] * h;
            dbias[c] += dy[c];
            float d = rstd[r] * (g - sum_g / (float)columns - h * sum_gh / (float)columns);
            dx[c] = accumulate ? dx[c] + d : d;
        }
    }
}

/* Φ(x), the normal distribution; erfc keeps its lower tail exact. */
static float normal(float x) {
    return 0.5f * erfcf(-x * 0.70710678f);
}

/* φ(x), its density */
static float normal_density(float x) {
    return 0.39894228f * expf(-0.5f * x * x);
}

/* Beyond ±20, where floats cannot tell Φ from 0 and 1, x = 20 is used instead: infinity · 0 would be NaN. */
static float cut(float x) {
    return fabsf(x) > 20.0f ? copysignf(20.0f, x) : x;
}

static void portable_gelu(int64_t count, const float *x, float *y) {
    for (int64_t i = 0; i < count; i++) y[i] = (x[i] < 0.0f ? cut(x[i]) : x[i]) * normal(x[i]);
}

/* dx before y, which may be x. */
static void portable_gelu_backward(int64_t count, const float *x, const float *dy, float *y, float *dx) {
    for (int64_t i = 0; i < count; i++) {
        float near = cut(x[i]);
        dx[i] = dy[i] * (normal(near) + near * normal_density(near));
    }
    portable_gelu(count, x, y);
}

/* The extreme entry is subtracted before scaling: its exponent is then exactly zero, however large it is. */
static void portable_softmax(int64_t rows, int64_t columns, float scale, const float *x, float *y, float *lse) {
    for (int64_t r = 0; r < rows; r++, x += columns, y += columns) {
        float extreme = x[0], sum = 0.0f;
        for (int64_t c = 1; c < columns; c++)
            if (scale < 0.0f ? x[c] < extreme : x[c] > extreme) extreme = x[c];
        for (int64_t c = 0; c < columns; c++) sum += y[c] = expf(scale * (x[c] - extreme));
        for (int64_t c = 0; c < columns; c++) y[c] /= sum;
        if (lse) lse[r] = scale * extreme + logf(sum);
    }
}

static void portable_softmax_from_lse(int64_t rows, int64_t columns, float scale, const float *x, const float *lse,
                                      float *y) {
    for (int64_t r = 0; r < rows; r++)
        for (int64_t c = 0; c < columns; c++) y[r * columns + c] = expf(scale * x[r * columns + c] - lse[r]);
}

static void portable_softmax_backward(int64_t rows, int64_t columns, float scale, const float *y, const float *dy,
                                      float *dx) {
    for (int64_t r = 0; r < rows; r++, y += columns, dy += columns, dx += columns) {
        float average = portable_dot(columns, y, dy);
        for (int64_t c = 0; c < columns; c++) dx[c] = scale * y[c] * (dy[c] - average);
    }
}

static void portable_add(int64_t count, const float *x, float *y) {
    for (int64_t i = 0; i < count; i++) y[i] += x[i];
}

static void portable_axpy(int64_t count, float a, const float *x, float *y) {
    for (int64_t i = 0; i < count; i++) y[i] += a * x[i];
}

static void portable_add_scaled(int64_t rows, int64_t columns, const float *scale, const float *row_scale,
                                const float *x, float *y) {
    for (int64_t r = 0; r < rows; r++)
        for (int64_t c = 0; c < columns; c++)
            y[r * columns + c] += (scale ? scale[c] : 1.0f) * (row_scale ? row_scale[r] : 1.0f) * x[r * columns + c];
}

static void portable_add_scaled_backward(int64_t rows, int64_t columns, const float *scale, const float *row_scale,
                                         const float *x, const float *dy, float *dx, float *dscale) {
    for (int64_t r = 0; r < rows; r++) {
        for (int64_t c = 0; c < columns; c++) {
            float d = (row_scale ? row_scale[r] : 1.0f) * dy[r * columns + c];
            if (scale) dscale[c] += x[r * columns + c] * d;
            dx[r * columns + c] = (scale ? scale[c] : 1.0f) * d;
        }
    }
}

static void portable_column_sum(int64_t rows, int64_t columns, const float *x, float *sum) {
    for (int64_t r = 0; r < rows; r++)
        for (int64_t c = 0; c < columns; c++) sum[c] += x[r * columns + c];
}

static void portable_adamw(int64_t count, float *w, const float *g, float *m, float *v, float s, float b1, float b2,
                           float c1, float c2, float rate, float eps, float decay) {
    for (int64_t i = 0; i < count; i++) {
        float gradient = g[i] * s;
        m[i] = b1 * m[i] + (1.0f - b1) * gradient;
        v[i] = b2 * v[i] + (1.0f - b2) * gradient * gradient;
        w[i] -= rate * (m[i] * c1) / (sqrtf(v[i] * c2) + eps) + decay * w[i];
    }
}

static void portable_sgd(int64_t count, float *w, const float *g, float *m, float s, float mu, float rate,
                         float decay) {
    for (int64_t i = 0; i < count; i++) {
        m[i] = mu * m[i] + (g[i] * s + decay * w[i]);
        w[i] -= rate * m[i];
    }
}

const tgr_kernels tgr_kernels_portable = {
    .name = "portable",
    .usable = tgr_usable_portable,
    .gemm = tgr_gemm_portable,
    .gemm_narrow = tgr_gemm_portable,
    .layer_norm = portable_layer_norm,
    .layer_norm_backward = portable_layer_norm_backward,
    .gelu = portable_gelu,
    .gelu_backward = portable_gelu_backward,
    .softmax = portable_softmax,
    .softmax_from_lse = portable_softmax_from_lse,
    .softmax_backward = portable_softmax_backward,
    .add = portable_add,
    .add_scaled = portable_add_scaled,
    .add_scaled_backward = portable_add_scaled_backward,
    .column_sum = portable_column_sum,
    .dot = portable_dot,
    .axpy = portable_axpy,
    .adamw = portable_adamw,
    .sgd = portable_sgd,
    .sum_squares = portable_sum_squares,
};

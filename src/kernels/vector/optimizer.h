/* SPDX-License-Identifier: MIT */
/* Template: one step of AdamW (Loshchilov and Hutter, 2019) or of SGD with momentum. See vector/math.h. */
#ifndef TGR_KERNELS_VECTOR_OPTIMIZER_H
#define TGR_KERNELS_VECTOR_OPTIMIZER_H

#include "kernels/vector/math.h"

static void vector_adamw(int64_t count, float *w, const float *g, float *m, float *v, float s, float b1, float b2,
                         float c1, float c2, float rate, float eps, float decay) {
    float a1 = 1.0f - b1, a2 = 1.0f - b2, step = rate * c1;
    VECTOR_INDEPENDENT
    for (int64_t i = 0; i < count; i++) {
        float gradient = g[i] * s;
        m[i] = b1 * m[i] + a1 * gradient;
        v[i] = b2 * v[i] + a2 * (gradient * gradient);
        w[i] -= step * m[i] / (sqrtf(v[i] * c2) + eps) + decay * w[i];
    }
}

static void vector_sgd(int64_t count, float *w, const float *g, float *m, float s, float mu, float rate, float decay) {
    VECTOR_INDEPENDENT
    for (int64_t i = 0; i < count; i++) {
        m[i] = mu * m[i] + (g[i] * s + decay * w[i]);
        w[i] -= rate * m[i];
    }
}

#endif

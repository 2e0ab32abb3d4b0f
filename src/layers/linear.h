/* SPDX-License-Identifier: MIT */
/* y = x·Wᵀ + b with W [outputs, inputs], as PyTorch keeps it. */
#ifndef TGR_LAYERS_LINEAR_H
#define TGR_LAYERS_LINEAR_H

#include "layers/pass.h"

typedef struct tgr_linear {
    int64_t inputs, outputs;
    int64_t weight, bias; /* tensors */
} tgr_linear;

/* Adds "<prefix>.weight" and "<prefix>.bias". */
tgr_status tgr_linear_add(tgr_linear *linear, tgr_parameters *parameters, const char *prefix, int64_t inputs,
                          int64_t outputs);
void tgr_linear_initialise(const tgr_linear *linear, tgr_parameters *parameters, double deviation);

/* y [rows, outputs], = or += when accumulate; x [rows, inputs], rows x_stride apart. */
void tgr_linear_forward(const tgr_linear *linear, const tgr_pass *pass, int64_t rows, const float *x, int64_t x_stride,
                        float *y, int accumulate);
/* The same with activation [rows, outputs] = gelu(y); they may be one. */
void tgr_linear_gelu_forward(const tgr_linear *linear, const tgr_pass *pass, int64_t rows, const float *x,
                             int64_t x_stride, float *y, float *activation);
/* dx [rows, inputs] = or += dy·W, rows x_stride apart as those of x. */
void tgr_linear_input_backward(const tgr_linear *linear, const tgr_pass *pass, int64_t rows, int64_t x_stride,
                               const float *dy, float *dx, int accumulate);
/* Where x = gelu(before): dbefore [rows, inputs] = (dy·W)·gelu'(before), and activation [rows, inputs] = x again. */
void tgr_linear_gelu_backward(const tgr_linear *linear, const tgr_pass *pass, int64_t rows, const float *dy,
                              const float *before, float *activation, float *dbefore);
/* dW += dyᵀ·x and db += Σ dy. */
void tgr_linear_weight_backward(const tgr_linear *linear, const tgr_pass *pass, int64_t rows, const float *x,
                                int64_t x_stride, const float *dy);
/* Both, in one job; the input's is left out when dx is NULL. */
void tgr_linear_backward(const tgr_linear *linear, const tgr_pass *pass, int64_t rows, const float *x, int64_t x_stride,
                         const float *dy, float *dx, int accumulate);

#endif

/* SPDX-License-Identifier: MIT */
/* The three matrix products of a linear layer y = x·Wᵀ + b, with x [rows, inputs], W [outputs, inputs],
 * y [rows, outputs], all packed tightly. */
#ifndef TGR_KERNELS_LINEAR_PRODUCTS_H
#define TGR_KERNELS_LINEAR_PRODUCTS_H

#include "kernels/gemm.h"

/* y = x·Wᵀ + bias [outputs] (NULL for none) */
static inline tgr_gemm tgr_product_y(int64_t rows, int64_t inputs, int64_t outputs, const float *x, const float *weight,
                                     const float *bias, float *y) {
    tgr_gemm product = {.m = rows, .n = outputs, .k = inputs, .a = x, .b = weight, .c = y, .bias = bias};
    product.a_row = inputs, product.a_col = 1;
    product.b_row = 1, product.b_col = inputs;
    product.c_row = outputs;
    return product;
}

/* dx = dy·W, or += */
static inline tgr_gemm tgr_product_dx(int64_t rows, int64_t inputs, int64_t outputs, const float *dy,
                                      const float *weight, float *dx, int accumulate) {
    tgr_gemm product = {.m = rows, .n = inputs, .k = outputs, .a = dy, .b = weight, .c = dx, .accumulate = accumulate};
    product.a_row = outputs, product.a_col = 1;
    product.b_row = inputs, product.b_col = 1;
    product.c_row = inputs;
    return product;
}

/* dW += dyᵀ·x */
static inline tgr_gemm tgr_product_dweight(int64_t rows, int64_t inputs, int64_t outputs, const float *x,
                                           const float *dy, float *dweight) {
    tgr_gemm product = {.m = outputs, .n = inputs, .k = rows, .a = dy, .b = x, .c = dweight, .accumulate = 1};
    product.a_row = 1, product.a_col = outputs;
    product.b_row = inputs, product.b_col = 1;
    product.c_row = inputs;
    return product;
}

#endif

/* SPDX-License-Identifier: MIT */
/* A linear layer as matrix products. */
#include "layers/linear.h"

#include <stdio.h>

#include "base/initialise.h"
#include "base/status.h"
#include "kernels/linear_products.h"
#include "kernels/parallel_rows.h"

tgr_status tgr_linear_add(tgr_linear *linear, tgr_parameters *parameters, const char *prefix, int64_t inputs,
                          int64_t outputs) {
    char name[TGR_NAME_BYTES];
    int64_t dims[] = {outputs, inputs};
    linear->inputs = inputs;
    linear->outputs = outputs;
    snprintf(name, sizeof name, "%s.weight", prefix);
    TGR_TRY(tgr_parameters_add(parameters, &linear->weight, name, 0, 2, dims));
    snprintf(name, sizeof name, "%s.bias", prefix);
    return tgr_parameters_add(parameters, &linear->bias, name, TGR_TENSOR_NO_DECAY, 1, dims);
}

void tgr_linear_initialise(const tgr_linear *linear, tgr_parameters *parameters, double deviation) {
    tgr_initialise_truncated(parameters, linear->weight, deviation);
    tgr_initialise_constant(parameters, linear->bias, 0.0f);
}

void tgr_linear_forward(const tgr_linear *linear, const tgr_pass *pass, int64_t rows, const float *x, int64_t x_stride,
                        float *y, int accumulate) {
    const float *weight = tgr_value(pass->parameters, linear->weight);
    const float *bias = tgr_value(pass->parameters, linear->bias);
    tgr_gemm product = tgr_linear_output(rows, linear->inputs, linear->outputs, x, weight, bias, y);
    product.a_row = x_stride;
    product.precision = pass->precision;
    product.accumulate = accumulate;
    tgr_gemm_run(pass->compute, &product, 1);
}

void tgr_linear_gelu_forward(const tgr_linear *linear, const tgr_pass *pass, int64_t rows, const float *x,
                             int64_t x_stride, float *y, float *activation) {
    const float *weight = tgr_value(pass->parameters, linear->weight);
    const float *bias = tgr_value(pass->parameters, linear->bias);
    tgr_gemm product = tgr_linear_output(rows, linear->inputs, linear->outputs, x, weight, bias, y);
    product.a_row = x_stride;
    product.precision = pass->precision;
    product.epilogue = TGR_EPILOGUE_GELU;
    product.after = activation;
    tgr_gemm_run(pass->compute, &product, 1);
}

static tgr_gemm weight_gradient(const tgr_linear *linear, const tgr_pass *pass, int64_t rows, const float *x,
                                int64_t x_stride, const float *dy) {
    float *dweight = tgr_gradient(pass->parameters, linear->weight);
    tgr_gemm product = tgr_linear_weight_gradient(rows, linear->inputs, linear->outputs, x, dy, dweight);
    product.b_row = x_stride;
    product.precision = pass->precision;
    return product;
}

static tgr_gemm input_gradient(const tgr_linear *linear, const tgr_pass *pass, int64_t rows, int64_t x_stride,
                               const float *dy, float *dx, int accumulate) {
    const float *weight = tgr_value(pass->parameters, linear->weight);
    tgr_gemm product = tgr_linear_input_gradient(rows, linear->inputs, linear->outputs, dy, weight, dx, accumulate);
    product.c_row = x_stride;
    product.precision = pass->precision;
    return product;
}

static void bias_gradient(const tgr_linear *linear, const tgr_pass *pass, int64_t rows, const float *dy) {
    tgr_column_sum(pass->compute, rows, linear->outputs, dy, tgr_gradient(pass->parameters, linear->bias),
                   pass->partial);
}

void tgr_linear_input_backward(const tgr_linear *linear, const tgr_pass *pass, int64_t rows, int64_t x_stride,
                               const float *dy, float *dx, int accumulate) {
    tgr_gemm product = input_gradient(linear, pass, rows, x_stride, dy, dx, accumulate);
    tgr_gemm_run(pass->compute, &product, 1);
}

void tgr_linear_gelu_backward(const tgr_linear *linear, const tgr_pass *pass, int64_t rows, const float *dy,
                              const float *before, float *activation, float *dbefore) {
    tgr_gemm product = input_gradient(linear, pass, rows, linear->inputs, dy, dbefore, 0);
    product.epilogue = TGR_EPILOGUE_GELU_BACKWARD;
    product.before = before;
    product.after = activation;
    tgr_gemm_run(pass->compute, &product, 1);
}

void tgr_linear_weight_backward(const tgr_linear *linear, const tgr_pass *pass, int64_t rows, const float *x,
                                int64_t x_stride, const float *dy) {
    tgr_gemm product = weight_gradient(linear, pass, rows, x, x_stride, dy);
    tgr_gemm_run(pass->compute, &product, 1);
    bias_gradient(linear, pass, rows, dy);
}

void tgr_linear_backward(const tgr_linear *linear, const tgr_pass *pass, int64_t rows, const float *x, int64_t x_stride,
                         const float *dy, float *dx, int accumulate) {
    tgr_gemm products[] = {weight_gradient(linear, pass, rows, x, x_stride, dy),
                           input_gradient(linear, pass, rows, x_stride, dy, dx, accumulate)};
    tgr_gemm_run(pass->compute, products, dx != NULL ? 2 : 1);
    bias_gradient(linear, pass, rows, dy);
}

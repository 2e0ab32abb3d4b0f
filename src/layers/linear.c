/* SPDX-License-Identifier: MIT */
/* A Linear's tensors, and its passes as those of a single group. */
#include "layers/linear.h"

#include <stdio.h>

#include "base/initialise.h"
#include "base/status.h"
#include "layers/row_groups.h"

static tgr_status add_tensor(const tgr_linear *linear, int64_t *index, const char *prefix, const char *name,
                             unsigned flags, int ndim) {
    const int64_t dims[] = {linear->groups, linear->outputs, linear->inputs};
    int first = linear->groups == 0; /* dimension */
    char full[TGR_NAME_BYTES + 1];   /* a name truncated here is still too long for tgr_parameters_add */
    snprintf(full, sizeof full, "%s.%s", prefix, name);
    return tgr_parameters_add(linear->parameters, index, full, flags, ndim - first, dims + first);
}

tgr_status tgr_linear_declare(tgr_linear *linear, tgr_parameters *parameters, const char *prefix, int64_t groups,
                              int64_t inputs, int64_t outputs, tgr_precision precision) {
    *linear = tgr_linear_of(parameters, inputs, outputs, 0, 0);
    linear->groups = groups;
    linear->precision = precision;
    TGR_TRY(add_tensor(linear, &linear->weight, prefix, "weight", 0, 3));
    return add_tensor(linear, &linear->bias, prefix, "bias", TGR_TENSOR_NO_DECAY, 2);
}

tgr_linear tgr_linear_of(tgr_parameters *parameters, int64_t inputs, int64_t outputs, int64_t weight, int64_t bias) {
    return (tgr_linear){.parameters = parameters,
                        .inputs = inputs,
                        .outputs = outputs,
                        .x_stride = inputs,
                        .weight = weight,
                        .bias = bias};
}

void tgr_linear_initialise(const tgr_linear *linear, double deviation) {
    tgr_initialise_truncated(linear->parameters, linear->weight, deviation);
    if (linear->bias != TGR_NO_BIAS) tgr_initialise_constant(linear->parameters, linear->bias, 0.0f);
}

void tgr_linear_forward(const tgr_linear *linear, int64_t rows, const float *x, float *y, int accumulate) {
    tgr_gemm products[2];
    const tgr_row_groups all = {.first = TGR_ALL_ROWS(rows), .products = products};
    tgr_groups_forward(linear, &all, x, y, accumulate);
}

void tgr_linear_backward(const tgr_linear *linear, int64_t rows, const float *x, const float *dy, float *dx,
                         int accumulate, float *partial) {
    tgr_gemm products[2];
    const tgr_row_groups all = {.first = TGR_ALL_ROWS(rows), .products = products, .partial = partial};
    tgr_groups_backward(linear, &all, x, dy, dx, accumulate);
}

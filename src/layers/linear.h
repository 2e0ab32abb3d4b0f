/* SPDX-License-Identifier: MIT */
/* Linear layers: y = x·Wᵀ + b with W [outputs, inputs], as PyTorch keeps it, with or without the bias b.
 *
 * The functions of every layer follow one pattern. `declare` adds the layer's tensors to a table of parameters, to
 * which the layer keeps a pointer; `initialise` draws their first values once the table is sealed; `plan_kept` and
 * `plan_work` take the layer's buffers from an arena, those that its backward needs and those that others may use
 * between passes; `forward` and `backward` take everything they read and write as arguments, except the weights and
 * their gradients, which are in the table. */
#ifndef TGR_LAYERS_LINEAR_H
#define TGR_LAYERS_LINEAR_H

#include "base/context.h"
#include "base/parameters.h"
#include "kernels/gemm.h"

#define TGR_NO_BIAS (-1)

typedef struct tgr_linear {
    tgr_parameters *parameters;
    int64_t groups; /* 0: one Linear; G: that many, each on its own rows (see row_groups.h), tensors [G, …] */
    int64_t inputs, outputs;
    int64_t x_stride;     /* from a row of x or dx to the next; `inputs` where they are packed */
    int64_t weight, bias; /* tensors [outputs, inputs] and [outputs]; TGR_NO_BIAS */
    tgr_precision precision;
} tgr_linear;

/* Adds "<prefix>.weight" and "<prefix>.bias". `groups` is 0 for one Linear. */
tgr_status tgr_linear_declare(tgr_linear *linear, tgr_parameters *parameters, const char *prefix, int64_t groups,
                              int64_t inputs, int64_t outputs, tgr_precision precision);
/* A Linear in float32 on tensors that have been added already, whatever their names; `bias` may be TGR_NO_BIAS.
 * x_stride and precision may be changed afterwards. */
tgr_linear tgr_linear_of(tgr_parameters *parameters, int64_t inputs, int64_t outputs, int64_t weight, int64_t bias);
/* Weights from a truncated normal distribution, biases zero. */
void tgr_linear_initialise(const tgr_linear *linear, double deviation);

/* y [rows, outputs] = x·Wᵀ + b, or += when accumulate; x [rows, inputs]. */
void tgr_linear_forward(const tgr_linear *linear, int64_t rows, const float *x, float *y, int accumulate);
/* dW += dyᵀ·x, db += Σ dy, and dx [rows, inputs] = dy·W, or += when accumulate, in one parallel job; without dx when it
 * is NULL. `partial` holds tgr_partial_floats(rows, outputs, 1), see kernels/parallel_rows.h; unused without bias. */
void tgr_linear_backward(const tgr_linear *linear, int64_t rows, const float *x, const float *dy, float *dx,
                         int accumulate, float *partial);

#endif

/* SPDX-License-Identifier: MIT */
/* All vector row kernels, and the fields of a kernel table that they fill. Included once by the file of each
 * instruction set. */
#ifndef TGR_KERNELS_VECTOR_ROWS_H
#define TGR_KERNELS_VECTOR_ROWS_H

#include "kernels/kernels.h"
#include "kernels/vector/gelu.h"
#include "kernels/vector/norm.h"
#include "kernels/vector/optimizer.h"
#include "kernels/vector/softmax.h"
#include "kernels/vector/sum.h"

/* The part of a tgr_kernels initialiser that this template fills. */
#define VECTOR_KERNELS                                                                                             \
    .layer_norm = vector_layer_norm, .layer_norm_backward = vector_layer_norm_backward, .gelu = vector_gelu,       \
    .gelu_backward = vector_gelu_backward, .softmax = vector_softmax, .softmax_from_lse = vector_softmax_from_lse, \
    .softmax_backward = vector_softmax_backward, .add = vector_add, .add_scaled = vector_add_scaled,               \
    .add_scaled_backward = vector_add_scaled_backward, .column_sum = vector_column_sum, .dot = vector_dot,         \
    .axpy = vector_axpy, .adamw = vector_adamw, .sgd = vector_sgd, .sum_squares = vector_sum_squares

#endif

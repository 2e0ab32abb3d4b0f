/* SPDX-License-Identifier: MIT */
/* The experts' products: one for each expert that has rows, all of a kind in one parallel job. */
#include "routing/experts.h"

#include <stdio.h>

#include "base/initialise.h"
#include "base/status.h"
#include "kernels/kernels.h"
#include "kernels/parallel_rows.h"

static tgr_status declare(tgr_experts *experts, int64_t *index, const char *prefix, const char *name, unsigned flags,
                          int ndim, const int64_t *dims) {
    char full[TGR_NAME_BYTES + 1]; /* a name cut off here is still too long for tgr_parameters_add */
    snprintf(full, sizeof full, "%sexperts.%s", prefix, name);
    return tgr_parameters_add(experts->parameters, index, full, flags, ndim, dims);
}

tgr_status tgr_experts_declare(tgr_experts *experts, tgr_parameters *parameters, const char *prefix, int64_t count,
                               int64_t dim, int64_t hidden) {
    const int64_t fc1[] = {count, hidden, dim}, fc2[] = {count, dim, hidden};
    *experts = (tgr_experts){.compute = &parameters->context->compute,
                             .parameters = parameters,
                             .count = count,
                             .dim = dim,
                             .hidden = hidden};
    TGR_TRY(declare(experts, &experts->fc1_weight, prefix, "fc1.weight", 0, 3, fc1));
    TGR_TRY(declare(experts, &experts->fc1_bias, prefix, "fc1.bias", TGR_TENSOR_NO_DECAY, 2, fc1));
    TGR_TRY(declare(experts, &experts->fc2_weight, prefix, "fc2.weight", 0, 3, fc2));
    TGR_TRY(declare(experts, &experts->fc2_bias, prefix, "fc2.bias", TGR_TENSOR_NO_DECAY, 2, fc2));
    return TGR_OK;
}

void tgr_experts_initialise(tgr_experts *experts, double deviation) {
    tgr_initialise_truncated(experts->parameters, experts->fc1_weight, deviation);
    tgr_initialise_truncated(experts->parameters, experts->fc2_weight, deviation);
    tgr_initialise_constant(experts->parameters, experts->fc1_bias, 0);
    tgr_initialise_constant(experts->parameters, experts->fc2_bias, 0);
}

void tgr_experts_plan(tgr_experts *experts, tgr_arena *arena, int64_t slots) {
    experts->input = tgr_arena_floats(arena, slots, experts->dim);
    experts->before_gelu = tgr_arena_floats(arena, slots, experts->hidden);
    experts->after_gelu = tgr_arena_floats(arena, slots, experts->hidden);
    experts->output = tgr_arena_floats(arena, slots, experts->dim);
    experts->products = tgr_arena_take(arena, experts->count, 1, sizeof(tgr_gemm));
}

/* Which of an expert's three shapes a product has; rows is the expert's share of slots. */
typedef enum product_kind { FORWARD, INPUT_GRADIENT, WEIGHT_GRADIENT } product_kind;

/* A Linear layer of all experts: y [slots, out] = x [slots, in] · weight [E, out, in]ᵀ + bias [E, out]. `weight` is the
 * weight or, for WEIGHT_GRADIENT, its gradient; x is overwritten by its gradient for INPUT_GRADIENT, and y holds y's
 * gradient for both. */
typedef struct linear {
    int64_t in, out;
    float *x, *y, *weight;
    const float *bias;
} linear;

static tgr_gemm product_of(const linear *layer, product_kind kind, int64_t expert, int64_t first, int64_t rows) {
    float *x = layer->x + first * layer->in, *y = layer->y + first * layer->out;
    float *weight = layer->weight + expert * layer->out * layer->in;
    switch (kind) {
        case FORWARD: /* y = x · weightᵀ + bias */
            return (tgr_gemm){.m = rows,
                              .n = layer->out,
                              .k = layer->in,
                              .a = x,
                              .a_row = layer->in,
                              .a_col = 1,
                              .b = weight,
                              .b_row = 1,
                              .b_col = layer->in,
                              .c = y,
                              .c_row = layer->out,
                              .bias = layer->bias + expert * layer->out};
        case INPUT_GRADIENT: /* dx = dy · weight */
            return (tgr_gemm){.m = rows,
                              .n = layer->in,
                              .k = layer->out,
                              .a = y,
                              .a_row = layer->out,
                              .a_col = 1,
                              .b = weight,
                              .b_row = layer->in,
                              .b_col = 1,
                              .c = x,
                              .c_row = layer->in};
        default: /* dweight += dyᵀ · x */
            return (tgr_gemm){.m = layer->out,
                              .n = layer->in,
                              .k = rows,
                              .a = y,
                              .a_row = 1,
                              .a_col = layer->out,
                              .b = x,
                              .b_row = layer->in,
                              .b_col = 1,
                              .c = weight,
                              .c_row = layer->in,
                              .accumulate = 1};
    }
}

static void run(tgr_experts *experts, const int64_t *first_slot, const linear *layer, product_kind kind) {
    int64_t count = 0;
    for (int64_t e = 0; e < experts->count; e++) {
        int64_t rows = first_slot[e + 1] - first_slot[e];
        if (rows > 0) experts->products[count++] = product_of(layer, kind, e, first_slot[e], rows);
    }
    tgr_gemm_run(experts->compute, experts->products, count);
}

void tgr_experts_forward(tgr_experts *experts, const int64_t *first_slot) {
    const tgr_parameters *parameters = experts->parameters;
    linear fc1 = {.in = experts->dim,
                  .out = experts->hidden,
                  .x = experts->input,
                  .y = experts->before_gelu,
                  .weight = tgr_value(parameters, experts->fc1_weight),
                  .bias = tgr_value(parameters, experts->fc1_bias)};
    linear fc2 = {.in = experts->hidden,
                  .out = experts->dim,
                  .x = experts->after_gelu,
                  .y = experts->output,
                  .weight = tgr_value(parameters, experts->fc2_weight),
                  .bias = tgr_value(parameters, experts->fc2_bias)};
    run(experts, first_slot, &fc1, FORWARD);
    tgr_gelu(experts->compute, first_slot[experts->count] * experts->hidden, experts->before_gelu, experts->after_gelu);
    run(experts, first_slot, &fc2, FORWARD);
}

typedef struct bias_job {
    const tgr_kernels *kernels;
    const int64_t *first_slot;
    int64_t columns;
    const float *y_gradient; /* [slots, columns] */
    float *gradient;         /* [E, columns] */
} bias_job;

static void bias_task(void *data, int64_t expert, int worker) {
    const bias_job *job = data;
    int64_t first = job->first_slot[expert], rows = job->first_slot[expert + 1] - first;
    (void)worker;
    job->kernels->column_sum(rows, job->columns, job->y_gradient + first * job->columns,
                             job->gradient + expert * job->columns);
}

/* The gradients of weight and bias of one Linear; then, if wanted, x becomes its own gradient. */
static void linear_backward(tgr_experts *experts, const int64_t *first_slot, int64_t weight, int64_t bias,
                            linear *layer, int want_input) {
    const tgr_parameters *parameters = experts->parameters;
    bias_job job = {.kernels = experts->compute->kernels,
                    .first_slot = first_slot,
                    .columns = layer->out,
                    .y_gradient = layer->y,
                    .gradient = tgr_gradient(parameters, bias)};
    tgr_parallel(experts->compute, experts->count, bias_task, &job);
    layer->weight = tgr_gradient(parameters, weight);
    run(experts, first_slot, layer, WEIGHT_GRADIENT);
    if (!want_input) return;
    layer->weight = tgr_value(parameters, weight);
    run(experts, first_slot, layer, INPUT_GRADIENT);
}

void tgr_experts_backward(tgr_experts *experts, const int64_t *first_slot, int want_input) {
    linear fc2 = {.in = experts->hidden, .out = experts->dim, .x = experts->after_gelu, .y = experts->output};
    linear fc1 = {.in = experts->dim, .out = experts->hidden, .x = experts->input, .y = experts->after_gelu};
    linear_backward(experts, first_slot, experts->fc2_weight, experts->fc2_bias, &fc2, 1);
    tgr_gelu_backward(experts->compute, first_slot[experts->count] * experts->hidden, experts->before_gelu,
                      experts->after_gelu, experts->after_gelu);
    linear_backward(experts, first_slot, experts->fc1_weight, experts->fc1_bias, &fc1, want_input);
}

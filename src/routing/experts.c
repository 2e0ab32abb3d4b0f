/* SPDX-License-Identifier: MIT */
/* The experts' products: one for each expert that has rows, all that can run at once in one parallel job. GELU is part
 * of them. */
#include "routing/experts.h"

#include <stdio.h>

#include "base/initialise.h"
#include "base/status.h"
#include "kernels/kernels.h"
#include "kernels/linear_products.h"

static tgr_status declare(tgr_experts *experts, int64_t *index, const char *prefix, const char *name, unsigned flags,
                          int ndim, const int64_t *dims) {
    char full[TGR_NAME_BYTES + 1]; /* a name cut off here is still too long for tgr_parameters_add */
    snprintf(full, sizeof full, "%sexperts.%s", prefix, name);
    return tgr_parameters_add(experts->parameters, index, full, flags, ndim, dims);
}

tgr_status tgr_experts_declare(tgr_experts *experts, tgr_parameters *parameters, const char *prefix, int64_t count,
                               int64_t dim, int64_t hidden, tgr_precision precision) {
    const int64_t fc1[] = {count, hidden, dim}, fc2[] = {count, dim, hidden};
    *experts = (tgr_experts){.compute = &parameters->context->compute,
                             .parameters = parameters,
                             .count = count,
                             .dim = dim,
                             .hidden = hidden,
                             .precision = precision};
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

void tgr_experts_plan_kept(tgr_experts *experts, tgr_arena *arena, int64_t slots) {
    experts->hidden_values = tgr_arena_floats(arena, slots, experts->hidden);
    experts->output = tgr_arena_floats(arena, slots, experts->dim);
}

void tgr_experts_plan_work(tgr_experts *experts, tgr_mode mode, tgr_arena *arena, int64_t slots) {
    int in_place = mode == TGR_EVAL;
    experts->input = tgr_arena_floats(arena, slots, experts->dim);
    experts->activation = in_place ? experts->hidden_values : tgr_arena_floats(arena, slots, experts->hidden);
    experts->products = tgr_arena_take(arena, experts->count, 1, sizeof(tgr_gemm));
}

/* A Linear layer of all experts: y [slots, out] = x [slots, in] · weight [E, out, in]ᵀ + bias [E, out]. On the way back
 * y holds the gradient of y, and the gradient of x replaces x. */
typedef struct linear {
    int64_t in, out;
    int64_t weight, bias; /* tensors */
    float *x, *y;
} linear;

static linear first_linear(const tgr_experts *experts, float *y) {
    return (linear){.in = experts->dim,
                    .out = experts->hidden,
                    .weight = experts->fc1_weight,
                    .bias = experts->fc1_bias,
                    .x = experts->input,
                    .y = y};
}

static linear second_linear(const tgr_experts *experts, float *x) {
    return (linear){.in = experts->hidden,
                    .out = experts->dim,
                    .weight = experts->fc2_weight,
                    .bias = experts->fc2_bias,
                    .x = x,
                    .y = experts->output};
}

typedef enum product_kind { OUTPUT, INPUT_GRADIENT, WEIGHT_GRADIENT } product_kind;

static tgr_gemm product_of(const tgr_experts *experts, const linear *layer, product_kind kind, int64_t expert,
                           int64_t first, int64_t rows) {
    const tgr_parameters *parameters = experts->parameters;
    int64_t in = layer->in, out = layer->out, matrix = expert * out * in;
    float *x = layer->x + first * in, *y = layer->y + first * out;
    const float *weight = tgr_value(parameters, layer->weight) + matrix;
    switch (kind) {
        case INPUT_GRADIENT:
            return tgr_linear_input_gradient(rows, in, out, y, weight, x, 0);
        case WEIGHT_GRADIENT:
            return tgr_linear_weight_gradient(rows, in, out, x, y, tgr_gradient(parameters, layer->weight) + matrix);
        default:
            return tgr_linear_output(rows, in, out, x, weight, tgr_value(parameters, layer->bias) + expert * out, y);
    }
}

/* What GELU does to the products, for rows from slot `first`. */
typedef struct gelu_part {
    tgr_epilogue epilogue;
    const float *before; /* [slots, hidden] or NULL */
    float *after;        /* [slots, hidden] */
} gelu_part;

/* Appends a product of each expert that has rows to the `count` products so far; returns how many there are then. */
static int64_t append(tgr_experts *experts, int64_t count, const int64_t *first_slot, const linear *layer,
                      product_kind kind, const gelu_part *gelu) {
    for (int64_t e = 0; e < experts->count; e++) {
        int64_t first = first_slot[e], rows = first_slot[e + 1] - first;
        if (rows == 0) continue;
        tgr_gemm *product = &experts->products[count++];
        *product = product_of(experts, layer, kind, e, first, rows);
        product->precision = experts->precision;
        if (gelu == NULL) continue;
        product->epilogue = gelu->epilogue;
        product->before = gelu->before ? gelu->before + first * experts->hidden : NULL;
        product->after = gelu->after + first * experts->hidden;
    }
    return count;
}

void tgr_experts_forward(tgr_experts *experts, const int64_t *first_slot) {
    linear fc1 = first_linear(experts, experts->hidden_values), fc2 = second_linear(experts, experts->activation);
    const gelu_part gelu = {.epilogue = TGR_EPILOGUE_GELU, .after = experts->activation};
    tgr_gemm_run(experts->compute, experts->products, append(experts, 0, first_slot, &fc1, OUTPUT, &gelu));
    tgr_gemm_run(experts->compute, experts->products, append(experts, 0, first_slot, &fc2, OUTPUT, NULL));
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

static void bias_backward(tgr_experts *experts, const int64_t *first_slot, const linear *layer) {
    bias_job job = {.kernels = experts->compute->kernels,
                    .first_slot = first_slot,
                    .columns = layer->out,
                    .y_gradient = layer->y,
                    .gradient = tgr_gradient(experts->parameters, layer->bias)};
    tgr_parallel(experts->compute, experts->count, bias_task, &job);
}

/* GELU once more is far cheaper than memory for what it gave: the product that gives the gradient makes it, too. */
void tgr_experts_backward(tgr_experts *experts, const int64_t *first_slot, int want_input) {
    const tgr_compute *compute = experts->compute;
    float *activation = experts->hidden_values, *hidden_gradient = experts->activation;
    linear fc1 = first_linear(experts, hidden_gradient), fc2 = second_linear(experts, hidden_gradient);
    const gelu_part gelu = {
        .epilogue = TGR_EPILOGUE_GELU_BACKWARD, .before = experts->hidden_values, .after = activation};
    bias_backward(experts, first_slot, &fc2);
    tgr_gemm_run(compute, experts->products, append(experts, 0, first_slot, &fc2, INPUT_GRADIENT, &gelu));
    fc2.x = activation;
    tgr_gemm_run(compute, experts->products, append(experts, 0, first_slot, &fc2, WEIGHT_GRADIENT, NULL));
    bias_backward(experts, first_slot, &fc1);
    tgr_gemm_run(compute, experts->products, append(experts, 0, first_slot, &fc1, WEIGHT_GRADIENT, NULL));
    if (want_input)
        tgr_gemm_run(compute, experts->products, append(experts, 0, first_slot, &fc1, INPUT_GRADIENT, NULL));
}

/* SPDX-License-Identifier: MIT */
/* The shared experts as one FFN. */
#include "routing/shared_experts.h"

#include <stdio.h>

#include "base/initialise.h"
#include "base/status.h"
#include "kernels/linear_products.h"
#include "kernels/parallel_rows.h"

static tgr_status declare(tgr_shared_experts *shared, int64_t *index, const char *prefix, const char *name,
                          unsigned flags, int ndim, const int64_t *dims) {
    char full[TGR_NAME_BYTES + 1]; /* a name cut off here is still too long for tgr_parameters_add */
    snprintf(full, sizeof full, "%sshared.%s", prefix, name);
    return tgr_parameters_add(shared->parameters, index, full, flags, ndim, dims);
}

tgr_status tgr_shared_experts_declare(tgr_shared_experts *shared, tgr_parameters *parameters, const char *prefix,
                                      int64_t dim, int64_t hidden, tgr_precision precision) {
    const int64_t fc1[] = {hidden, dim}, fc2[] = {dim, hidden};
    *shared = (tgr_shared_experts){.compute = &parameters->context->compute,
                                   .parameters = parameters,
                                   .dim = dim,
                                   .hidden = hidden,
                                   .precision = precision};
    TGR_TRY(declare(shared, &shared->fc1_weight, prefix, "fc1.weight", 0, 2, fc1));
    TGR_TRY(declare(shared, &shared->fc1_bias, prefix, "fc1.bias", TGR_TENSOR_NO_DECAY, 1, fc1));
    TGR_TRY(declare(shared, &shared->fc2_weight, prefix, "fc2.weight", 0, 2, fc2));
    return declare(shared, &shared->fc2_bias, prefix, "fc2.bias", TGR_TENSOR_NO_DECAY, 1, fc2);
}

void tgr_shared_experts_initialise(tgr_shared_experts *shared, double deviation) {
    tgr_initialise_truncated(shared->parameters, shared->fc1_weight, deviation);
    tgr_initialise_truncated(shared->parameters, shared->fc2_weight, deviation);
    tgr_initialise_constant(shared->parameters, shared->fc1_bias, 0);
    tgr_initialise_constant(shared->parameters, shared->fc2_bias, 0);
}

void tgr_shared_experts_plan_kept(tgr_shared_experts *shared, tgr_arena *arena, int64_t tokens) {
    shared->hidden_values = tgr_arena_floats(arena, tokens, shared->hidden);
}

void tgr_shared_experts_plan_work(tgr_shared_experts *shared, tgr_mode mode, tgr_arena *arena, int64_t tokens) {
    int64_t widest = shared->hidden > shared->dim ? shared->hidden : shared->dim;
    int in_place = mode == TGR_EVAL;
    shared->activation = in_place ? shared->hidden_values : tgr_arena_floats(arena, tokens, shared->hidden);
    shared->partial = tgr_arena_floats(arena, tgr_partial_floats(tokens, widest, 1), 1);
}

void tgr_shared_experts_forward(tgr_shared_experts *shared, int64_t tokens, const float *x, float *y) {
    const tgr_parameters *parameters = shared->parameters;
    int64_t dim = shared->dim, hidden = shared->hidden;
    tgr_gemm fc1 = tgr_linear_output(tokens, dim, hidden, x, tgr_value(parameters, shared->fc1_weight),
                                     tgr_value(parameters, shared->fc1_bias), shared->hidden_values);
    tgr_gemm fc2 = tgr_linear_output(tokens, hidden, dim, shared->activation, tgr_value(parameters, shared->fc2_weight),
                                     tgr_value(parameters, shared->fc2_bias), y);
    fc1.precision = fc2.precision = shared->precision;
    fc1.epilogue = TGR_EPILOGUE_GELU;
    fc1.after = shared->activation;
    fc2.accumulate = 1;
    tgr_gemm_run(shared->compute, &fc1, 1);
    tgr_gemm_run(shared->compute, &fc2, 1);
}

void tgr_shared_experts_backward(tgr_shared_experts *shared, int64_t tokens, const float *x, const float *y_gradient,
                                 float *x_gradient) {
    const tgr_parameters *parameters = shared->parameters;
    int64_t dim = shared->dim, hidden = shared->hidden;
    float *activation = shared->hidden_values, *hidden_gradient = shared->activation;
    tgr_gemm weights2 = tgr_linear_weight_gradient(tokens, hidden, dim, activation, y_gradient,
                                                   tgr_gradient(parameters, shared->fc2_weight));
    tgr_gemm input2 = tgr_linear_input_gradient(tokens, hidden, dim, y_gradient,
                                                tgr_value(parameters, shared->fc2_weight), hidden_gradient, 0);
    weights2.precision = input2.precision = shared->precision;
    input2.epilogue = TGR_EPILOGUE_GELU_BACKWARD;
    input2.before = shared->hidden_values;
    input2.after = activation;
    tgr_gemm_run(shared->compute, &input2, 1);
    tgr_gemm_run(shared->compute, &weights2, 1);
    tgr_column_sum(shared->compute, tokens, dim, y_gradient, tgr_gradient(parameters, shared->fc2_bias),
                   shared->partial);
    tgr_column_sum(shared->compute, tokens, hidden, hidden_gradient, tgr_gradient(parameters, shared->fc1_bias),
                   shared->partial);
    tgr_gemm products[] = {tgr_linear_weight_gradient(tokens, dim, hidden, x, hidden_gradient,
                                                      tgr_gradient(parameters, shared->fc1_weight)),
                           tgr_linear_input_gradient(tokens, dim, hidden, hidden_gradient,
                                                     tgr_value(parameters, shared->fc1_weight), x_gradient, 1)};
    products[0].precision = products[1].precision = shared->precision;
    tgr_gemm_run(shared->compute, products, x_gradient != NULL ? 2 : 1);
}

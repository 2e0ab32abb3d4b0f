/* SPDX-License-Identifier: MIT */
/* The three kinds of products of a Linear, one for each group that has rows. */
#include "layers/row_groups.h"

#include "base/assert.h"
#include "kernels/kernels.h"
#include "kernels/linear_products.h"
#include "kernels/parallel_rows.h"

/* What products read and write, for all rows; each kind of product uses some. */
typedef struct operand_rows {
    const float *x, *dy;
    float *y, *dx;
    int accumulate; /* y or dx += */
    tgr_epilogue epilogue;
    const float *before; /* for the epilogue, shaped like y or dx */
    float *after;
} operand_rows;

/* The rows of one group. */
typedef struct row_group {
    int64_t index, first, rows;
} row_group;

typedef tgr_gemm (*product_fn)(const tgr_linear *linear, const row_group *group, const operand_rows *operands);

static int64_t group_count(const tgr_linear *linear) {
    return linear->groups > 0 ? linear->groups : 1;
}

static int64_t matrix_offset(const tgr_linear *linear, const row_group *group) {
    return group->index * linear->outputs * linear->inputs;
}

static void add_epilogue(tgr_gemm *product, const operand_rows *operands, int64_t offset) {
    product->epilogue = operands->epilogue;
    product->before = operands->before ? operands->before + offset : NULL;
    product->after = operands->after ? operands->after + offset : NULL;
}

static tgr_gemm product_y(const tgr_linear *linear, const row_group *group, const operand_rows *operands) {
    const float *weight = tgr_value(linear->parameters, linear->weight) + matrix_offset(linear, group);
    const float *bias = NULL;
    int64_t offset = group->first * linear->outputs;
    if (linear->bias != TGR_NO_BIAS)
        bias = tgr_value(linear->parameters, linear->bias) + group->index * linear->outputs;
    tgr_gemm product = tgr_product_y(group->rows, linear->inputs, linear->outputs,
                                     operands->x + group->first * linear->x_stride, weight, bias, operands->y + offset);
    product.a_row = linear->x_stride;
    product.accumulate = operands->accumulate;
    add_epilogue(&product, operands, offset);
    return product;
}

static tgr_gemm product_dx(const tgr_linear *linear, const row_group *group, const operand_rows *operands) {
    const float *weight = tgr_value(linear->parameters, linear->weight) + matrix_offset(linear, group);
    int64_t offset = group->first * linear->x_stride;
    tgr_gemm product =
        tgr_product_dx(group->rows, linear->inputs, linear->outputs, operands->dy + group->first * linear->outputs,
                       weight, operands->dx + offset, operands->accumulate);
    product.c_row = linear->x_stride;
    add_epilogue(&product, operands, offset);
    return product;
}

static tgr_gemm product_dweight(const tgr_linear *linear, const row_group *group, const operand_rows *operands) {
    float *dweight = tgr_gradient(linear->parameters, linear->weight) + matrix_offset(linear, group);
    tgr_gemm product =
        tgr_product_dweight(group->rows, linear->inputs, linear->outputs, operands->x + group->first * linear->x_stride,
                            operands->dy + group->first * linear->outputs, dweight);
    product.b_row = linear->x_stride;
    return product;
}

/* Appends a product for each group that has rows to the `count` products so far; returns the new count. */
static int64_t append(const tgr_linear *linear, const tgr_row_groups *rows, product_fn product_of,
                      const operand_rows *operands, int64_t count) {
    for (int64_t g = 0; g < group_count(linear); g++) {
        const row_group group = {.index = g, .first = rows->first[g], .rows = rows->first[g + 1] - rows->first[g]};
        TGR_ASSERT(group.rows >= 0);
        if (group.rows == 0) continue;
        rows->products[count] = product_of(linear, &group, operands);
        rows->products[count++].precision = linear->precision;
    }
    return count;
}

static void run(const tgr_linear *linear, const tgr_row_groups *rows, int64_t count) {
    tgr_gemm_run(tgr_parameters_compute(linear->parameters), rows->products, count);
}

static void run_one_kind(const tgr_linear *linear, const tgr_row_groups *rows, product_fn product_of,
                         const operand_rows *operands) {
    run(linear, rows, append(linear, rows, product_of, operands, 0));
}

typedef struct bias_job {
    const tgr_kernels *kernels;
    const int64_t *first;
    int64_t columns;
    const float *dy; /* [rows, columns] */
    float *dbias;    /* [groups, columns] */
} bias_job;

static void bias_task(void *data, int64_t group, int worker) {
    const bias_job *job = data;
    int64_t first = job->first[group], rows = job->first[group + 1] - first;
    (void)worker;
    job->kernels->column_sum(rows, job->columns, job->dy + first * job->columns, job->dbias + group * job->columns);
}

/* One task per group; without groups, the rows are cut into blocks. */
static void bias_backward(const tgr_linear *linear, const tgr_row_groups *rows, const float *dy) {
    const tgr_compute *compute = tgr_parameters_compute(linear->parameters);
    if (linear->bias == TGR_NO_BIAS) return;
    TGR_ASSERT(linear->groups > 0 || rows->partial != NULL);
    float *dbias = tgr_gradient(linear->parameters, linear->bias);
    bias_job job = {
        .kernels = compute->kernels, .first = rows->first, .columns = linear->outputs, .dy = dy, .dbias = dbias};
    if (linear->groups > 0)
        tgr_parallel(compute, linear->groups, bias_task, &job);
    else
        tgr_column_sum(compute, rows->first[1], linear->outputs, dy, dbias, rows->partial);
}

void tgr_groups_forward(const tgr_linear *linear, const tgr_row_groups *rows, const float *x, float *y,
                        int accumulate) {
    run_one_kind(linear, rows, product_y, &(operand_rows){.x = x, .y = y, .accumulate = accumulate});
}

void tgr_groups_gelu_forward(const tgr_linear *linear, const tgr_row_groups *rows, const float *x, float *y,
                             float *activation) {
    run_one_kind(linear, rows, product_y,
                 &(operand_rows){.x = x, .y = y, .epilogue = TGR_EPILOGUE_GELU, .after = activation});
}

void tgr_groups_gelu_backward(const tgr_linear *linear, const tgr_row_groups *rows, const float *dy,
                              const float *before, float *activation, float *dbefore) {
    run_one_kind(
        linear, rows, product_dx,
        &(operand_rows){
            .dy = dy, .dx = dbefore, .epilogue = TGR_EPILOGUE_GELU_BACKWARD, .before = before, .after = activation});
}

void tgr_groups_weight_backward(const tgr_linear *linear, const tgr_row_groups *rows, const float *x, const float *dy) {
    tgr_groups_backward(linear, rows, x, dy, NULL, 0);
}

void tgr_groups_backward(const tgr_linear *linear, const tgr_row_groups *rows, const float *x, const float *dy,
                         float *dx, int accumulate) {
    const operand_rows operands = {.x = x, .dy = dy, .dx = dx, .accumulate = accumulate};
    TGR_ASSERT(dx != x || !accumulate);
    int64_t count = append(linear, rows, product_dweight, &operands, 0);
    if (dx == x) {
        run(linear, rows, count);
        count = 0;
    }
    if (dx != NULL) count = append(linear, rows, product_dx, &operands, count);
    run(linear, rows, count);
    bias_backward(linear, rows, dy);
}

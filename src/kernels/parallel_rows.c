/* SPDX-License-Identifier: MIT */
/* Each function runs a job with one task per block of rows, each a call of the row kernel. */
#include "kernels/parallel_rows.h"

#include <string.h>

#include "base/context.h"
#include "base/memory.h"
#include "kernels/kernels.h"

/* A block has about this many elements: 64 KiB of floats, a few microseconds of work. */
#define BLOCK_ELEMENTS 16384

/* What the tasks below need; each uses some of it. Names as in parallel_rows.h. */
typedef struct rows_job {
    const tgr_kernels *kernels;
    int64_t rows, columns, blocks;
    const float *x, *weight, *bias, *mean_in, *rstd_in, *dy, *row_scale;
    float *y, *mean, *rstd, *dx, *lse;
    float *partial; /* [blocks, sums, columns] */
    float number;   /* epsilon or scale */
    int accumulate;
} rows_job;

typedef struct rows_block {
    int64_t first, rows, offset; /* offset = first · columns */
} rows_block;

static int64_t block_count(int64_t rows, int64_t columns) {
    if (rows < 1 || columns < 1) return 0;
    int64_t block_rows = columns < BLOCK_ELEMENTS ? BLOCK_ELEMENTS / columns : 1;
    return rows / block_rows + (rows % block_rows != 0);
}

static int64_t sum_block_count(int64_t rows, int64_t columns) {
    int64_t blocks = block_count(rows, columns);
    return blocks < TGR_SUM_BLOCKS_MAX ? blocks : TGR_SUM_BLOCKS_MAX;
}

/* Blocks differ by at most one row. */
static rows_block block_at(const rows_job *job, int64_t block) {
    int64_t rows = job->rows / job->blocks, longer = job->rows % job->blocks;
    rows_block result = {.first = block * rows + (block < longer ? block : longer), .rows = rows + (block < longer)};
    result.offset = result.first * job->columns;
    return result;
}

int64_t tgr_partial_floats(int64_t rows, int64_t columns, int64_t sums) {
    int64_t floats = 0;
    if (!tgr_multiply(sum_block_count(rows, columns), columns, &floats)) return -1;
    return tgr_multiply(floats, sums, &floats) ? floats : -1;
}

/* Partial sum number `sum` of the `sums` of a block. */
static float *partial_at(const rows_job *job, int64_t block, int64_t sums, int64_t sum) {
    return job->partial + (block * sums + sum) * job->columns;
}

static void combine_partials(const rows_job *job, int64_t sums, int64_t sum, float *result) {
    for (int64_t b = 0; b < job->blocks; b++) job->kernels->add(job->columns, partial_at(job, b, sums, sum), result);
}

static void run_blocks(const tgr_compute *compute, tgr_task_fn task, rows_job *job, int64_t blocks) {
    job->kernels = compute->kernels;
    job->blocks = blocks;
    tgr_parallel(compute, blocks, task, job);
}

static void run(const tgr_compute *compute, tgr_task_fn task, rows_job *job) {
    run_blocks(compute, task, job, block_count(job->rows, job->columns));
}

/* For tasks that keep sums by block. */
static void run_sums(const tgr_compute *compute, tgr_task_fn task, rows_job *job) {
    run_blocks(compute, task, job, sum_block_count(job->rows, job->columns));
}

static void layer_norm_task(void *data, int64_t task, int worker) {
    const rows_job *job = data;
    rows_block b = block_at(job, task);
    (void)worker;
    job->kernels->layer_norm(b.rows, job->columns, job->x + b.offset, job->weight, job->bias, job->number,
                             job->y + b.offset, job->mean + b.first, job->rstd + b.first);
}

void tgr_layer_norm(const tgr_compute *compute, int64_t rows, int64_t columns, const float *x, const float *weight,
                    const float *bias, float epsilon, float *y, float *mean, float *rstd) {
    run(compute, layer_norm_task,
        &(rows_job){.rows = rows,
                    .columns = columns,
                    .x = x,
                    .weight = weight,
                    .bias = bias,
                    .number = epsilon,
                    .y = y,
                    .mean = mean,
                    .rstd = rstd});
}

static void layer_norm_backward_task(void *data, int64_t task, int worker) {
    const rows_job *job = data;
    rows_block b = block_at(job, task);
    float *dweight = partial_at(job, task, 2, 0), *dbias = partial_at(job, task, 2, 1);
    (void)worker;
    memset(dweight, 0, (size_t)job->columns * 2 * sizeof(float));
    job->kernels->layer_norm_backward(b.rows, job->columns, job->x + b.offset, job->weight, job->mean_in + b.first,
                                      job->rstd_in + b.first, job->dy + b.offset, job->accumulate, job->dx + b.offset,
                                      dweight, dbias);
}

void tgr_layer_norm_backward(const tgr_compute *compute, int64_t rows, int64_t columns, const float *x,
                             const float *weight, const float *mean, const float *rstd, const float *dy, int accumulate,
                             float *dx, float *dweight, float *dbias, float *partial) {
    rows_job job = {.rows = rows,
                    .columns = columns,
                    .x = x,
                    .weight = weight,
                    .mean_in = mean,
                    .rstd_in = rstd,
                    .dy = dy,
                    .accumulate = accumulate,
                    .dx = dx,
                    .partial = partial};
    run_sums(compute, layer_norm_backward_task, &job);
    combine_partials(&job, 2, 0, dweight);
    combine_partials(&job, 2, 1, dbias);
}

static void softmax_task(void *data, int64_t task, int worker) {
    const rows_job *job = data;
    rows_block b = block_at(job, task);
    (void)worker;
    job->kernels->softmax(b.rows, job->columns, job->number, job->x + b.offset, job->y + b.offset,
                          job->lse ? job->lse + b.first : NULL);
}

void tgr_softmax_rows(const tgr_compute *compute, int64_t rows, int64_t columns, float scale, const float *x, float *y,
                      float *lse) {
    run(compute, softmax_task,
        &(rows_job){.rows = rows, .columns = columns, .number = scale, .x = x, .y = y, .lse = lse});
}

static void add_task(void *data, int64_t task, int worker) {
    const rows_job *job = data;
    rows_block b = block_at(job, task);
    (void)worker;
    job->kernels->add(b.rows, job->x + b.first, job->y + b.first);
}

void tgr_add_into(const tgr_compute *compute, int64_t count, const float *x, float *y) {
    run(compute, add_task, &(rows_job){.rows = count, .columns = 1, .x = x, .y = y});
}

static void add_scaled_task(void *data, int64_t task, int worker) {
    const rows_job *job = data;
    rows_block b = block_at(job, task);
    (void)worker;
    job->kernels->add_scaled(b.rows, job->columns, job->weight, job->row_scale ? job->row_scale + b.first : NULL,
                             job->x + b.offset, job->y + b.offset);
}

void tgr_add_scaled(const tgr_compute *compute, int64_t rows, int64_t columns, const float *scale,
                    const float *row_scale, const float *x, float *y) {
    run(compute, add_scaled_task,
        &(rows_job){.rows = rows, .columns = columns, .weight = scale, .row_scale = row_scale, .x = x, .y = y});
}

static void add_scaled_backward_task(void *data, int64_t task, int worker) {
    const rows_job *job = data;
    rows_block b = block_at(job, task);
    float *dscale = job->weight ? partial_at(job, task, 1, 0) : NULL;
    (void)worker;
    if (dscale) memset(dscale, 0, (size_t)job->columns * sizeof(float));
    job->kernels->add_scaled_backward(
        b.rows, job->columns, job->weight, job->row_scale ? job->row_scale + b.first : NULL,
        job->weight ? job->x + b.offset : NULL, job->dy + b.offset, job->dx + b.offset, dscale);
}

void tgr_add_scaled_backward(const tgr_compute *compute, int64_t rows, int64_t columns, const float *scale,
                             const float *row_scale, const float *x, const float *dy, float *dx, float *dscale,
                             float *partial) {
    rows_job job = {.rows = rows,
                    .columns = columns,
                    .weight = scale,
                    .row_scale = row_scale,
                    .x = x,
                    .dy = dy,
                    .dx = dx,
                    .partial = partial};
    if (scale == NULL) {
        run(compute, add_scaled_backward_task, &job);
        return;
    }
    run_sums(compute, add_scaled_backward_task, &job);
    combine_partials(&job, 1, 0, dscale);
}

static void column_sum_task(void *data, int64_t task, int worker) {
    const rows_job *job = data;
    rows_block b = block_at(job, task);
    float *sum = partial_at(job, task, 1, 0);
    (void)worker;
    memset(sum, 0, (size_t)job->columns * sizeof(float));
    job->kernels->column_sum(b.rows, job->columns, job->x + b.offset, sum);
}

void tgr_column_sum(const tgr_compute *compute, int64_t rows, int64_t columns, const float *x, float *sum,
                    float *partial) {
    rows_job job = {.rows = rows, .columns = columns, .x = x, .partial = partial};
    run_sums(compute, column_sum_task, &job);
    combine_partials(&job, 1, 0, sum);
}

/* SPDX-License-Identifier: MIT */
/* Lists of matrix products in parallel. The list is laid out on a line by its work (multiply-adds); the line is cut
 * into equal shares, one per task, and a task computes the tiles that begin within its share. */
#include "kernels/gemm.h"

#include "base/context.h"
#include "kernels/kernels.h"

enum {
    TASKS_OF_THREAD = 2,  /* more would even out better what threads get, but rearrange A and B more often */
    LEAST_WORK = 1 << 20, /* of a task: some ten microseconds or less */
    LEAST_ROWS = 32,      /* of a tile */
    GOOD_ROWS = 256,      /* with as many, rearranging B costs little beside multiplying by it */
    LEAST_COLUMNS = 64,
    GOOD_COLUMNS = 512, /* kernels rearrange A anew for as many */
    COLUMN_UNIT = 32,   /* tiles begin at multiples of the widest micro-tile */
};

typedef struct gemm_job {
    const tgr_compute *compute;
    const tgr_gemm *products;
    int64_t count, share;
} gemm_job;

static int64_t smaller(int64_t a, int64_t b) {
    return a < b ? a : b;
}

/* Setting C counts as one step of k. */
static int64_t work_of(const tgr_gemm *product) {
    return product->m * product->n * (product->k + 1);
}

/* The part of a product that computes rows × columns of C from (row, column). */
static tgr_gemm tile_at(const tgr_gemm *product, int64_t row, int64_t column, int64_t rows, int64_t columns) {
    tgr_gemm tile = *product;
    tile.m = smaller(rows, product->m - row);
    tile.n = smaller(columns, product->n - column);
    tile.a += row * product->a_row;
    tile.b += column * product->b_col;
    tile.c += row * product->c_row + column;
    if (tile.bias) tile.bias += column;
    if (tile.before) tile.before += row * product->c_row + column;
    if (tile.after) tile.after += row * product->c_row + column;
    return tile;
}

/* Halves the tile until it is no more than a share, first where it costs nothing. */
static void choose_tile(const tgr_gemm *product, int64_t share, int64_t *rows, int64_t *columns) {
    *rows = product->m;
    *columns = product->n;
    while (*rows * *columns * (product->k + 1) > share) {
        if (*columns > GOOD_COLUMNS || (*rows < 2 * GOOD_ROWS && *columns >= *rows && *columns >= 2 * LEAST_COLUMNS)) {
            *columns = (*columns / 2 + COLUMN_UNIT - 1) / COLUMN_UNIT * COLUMN_UNIT;
        } else if (*rows >= 2 * LEAST_ROWS) {
            *rows = (*rows / 2 + LEAST_ROWS - 1) / LEAST_ROWS * LEAST_ROWS;
        } else {
            return;
        }
    }
}

typedef void (*gemm_variant)(const tgr_gemm *product, float *scratch);

/* A question of the whole product, so that an element has the same bits however C is cut, and never of m, so that a row
 * does not depend on the others. */
static gemm_variant variant_for(const tgr_kernels *kernels, const tgr_gemm *product) {
    if (product->precision == TGR_BFLOAT16) return kernels->gemm_bfloat16;
    const int narrow = product->n <= 16 || (product->n <= 64 && product->k <= 64);
    return narrow ? kernels->gemm_narrow : kernels->gemm;
}

void tgr_gemm_serial(const tgr_kernels *kernels, const tgr_gemm *product, float *scratch) {
    variant_for(kernels, product)(product, scratch);
}

void tgr_gemm_finish(const tgr_gemm *product, int64_t row, int64_t rows, int64_t column, int64_t columns) {
    const tgr_kernels *kernels = product->kernels;
    if (product->epilogue == TGR_EPILOGUE_NONE) return;
    for (int64_t i = row; i < row + rows; i++) {
        int64_t at = i * product->c_row + column;
        float *c = product->c + at;
        if (product->epilogue == TGR_EPILOGUE_GELU)
            kernels->gelu(columns, c, product->after + at);
        else if (product->after != NULL)
            kernels->gelu_again_backward(columns, product->before + at, c, product->after + at, c);
        else
            kernels->gelu_backward(columns, product->before + at, c, c);
    }
}

/* Computes those tiles of a product that begin in [begin, end), the product itself beginning at zero. */
static void run_tiles(const gemm_job *job, const tgr_gemm *product, int64_t begin, int64_t end, int worker) {
    int64_t rows, columns, position = 0;
    const gemm_variant multiply = variant_for(job->compute->kernels, product);
    choose_tile(product, job->share, &rows, &columns);
    for (int64_t column = 0; column < product->n; column += columns) {
        for (int64_t row = 0; row < product->m; row += rows) {
            tgr_gemm tile = tile_at(product, row, column, rows, columns);
            tile.kernels = job->compute->kernels;
            if (position >= begin && position < end) {
                multiply(&tile, job->compute->scratch[worker]);
            }
            position += work_of(&tile);
        }
    }
}

static void run_task(void *context, int64_t task, int worker) {
    const gemm_job *job = context;
    int64_t begin = task * job->share, end = begin + job->share;
    for (int64_t i = 0; i < job->count && end > 0; i++) {
        int64_t work = work_of(&job->products[i]);
        if (begin < work) run_tiles(job, &job->products[i], begin, end, worker);
        begin -= work;
        end -= work;
    }
}

void tgr_gemm_run(const tgr_compute *compute, const tgr_gemm *products, int64_t count) {
    int64_t work = 0, threads = compute->workers;
    for (int64_t i = 0; i < count; i++) work += work_of(&products[i]);
    if (work == 0) return;
    int64_t most = smaller(threads > 1 ? TASKS_OF_THREAD * threads : 1, work / LEAST_WORK), tasks = most > 0 ? most : 1;
    gemm_job job = {.compute = compute, .products = products, .count = count, .share = (work + tasks - 1) / tasks};
    tgr_parallel(compute, tasks, run_task, &job);
}

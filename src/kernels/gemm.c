/* SPDX-License-Identifier: MIT */
/* Lists of matrix products in parallel: each is cut into tiles of C about as large as a thread's share of the work, and
 * threads take the tiles in turn. An element of C is the same however C is cut, so the tiles may depend on the threads.
 */
#include "kernels/gemm.h"

#include "base/assert.h"
#include "base/context.h"
#include "kernels/kernels.h"

enum {
    LEAST_WORK = 1 << 20, /* of a tile: about ten microseconds or less */
    LEAST_ROWS = 64,      /* of a tile, if there are that many */
    GOOD_COLUMNS = 512,   /* kernels rearrange A once per this many: fewer would cost more, more would gain nothing */
    UNIT = 32,            /* tiles start at multiples of the widest micro-tile */
};

typedef struct gemm_job {
    const tgr_compute *compute;
    const tgr_gemm *products;
    int64_t share;
} gemm_job;

static int64_t smaller(int64_t a, int64_t b) {
    return a < b ? a : b;
}
static int64_t larger(int64_t a, int64_t b) {
    return a > b ? a : b;
}
static int64_t divide_up(int64_t a, int64_t b) {
    return (a + b - 1) / b;
}

/* Setting C counts as one step of k. */
static int64_t work_of(const tgr_gemm *product) {
    return product->m * product->n * (product->k + 1);
}

/* Tiles of rows × columns, and how many of them there are. */
typedef struct tiling {
    int64_t rows, columns, across, count;
} tiling;

/* As many columns as suits the kernels, then rows; narrower tiles only if there are too few rows. */
static tiling tiling_of(const tgr_gemm *product, int64_t share) {
    const int64_t m = product->m, n = product->n;
    if (m == 0 || n == 0) return (tiling){.across = 1};
    const int64_t parts = divide_up(work_of(product), share);
    int64_t across = smaller(parts, divide_up(n, GOOD_COLUMNS));
    const int64_t down = smaller(divide_up(parts, across), larger(m / LEAST_ROWS, 1));
    across = smaller(divide_up(parts, down), divide_up(n, UNIT));
    const int64_t rows = divide_up(divide_up(m, down), UNIT) * UNIT;
    const int64_t columns = divide_up(divide_up(n, across), UNIT) * UNIT;
    across = divide_up(n, columns);
    return (tiling){.rows = rows, .columns = columns, .across = across, .count = across * divide_up(m, rows)};
}

/* Tile `index` of a product. */
static tgr_gemm tile_at(const tgr_gemm *product, const tiling *tiles, int64_t index) {
    const int64_t row = index / tiles->across * tiles->rows, column = index % tiles->across * tiles->columns;
    const int64_t at = row * product->c_row + column;
    tgr_gemm tile = *product;
    tile.m = smaller(tiles->rows, product->m - row);
    tile.n = smaller(tiles->columns, product->n - column);
    tile.a += row * product->a_row;
    tile.b += column * product->b_col;
    tile.c += at;
    if (tile.bias) tile.bias += column;
    if (tile.before) tile.before += at;
    if (tile.after) tile.after += at;
    return tile;
}

typedef void (*gemm_variant)(const tgr_gemm *product, float *scratch);

/* Decided for the whole product, so that an element has the same bits however C is cut, and never by m, so that a row
 * does not depend on the others. */
static gemm_variant variant_for(const tgr_kernels *kernels, const tgr_gemm *product) {
    TGR_ASSERT(product->precision == TGR_PRECISION_FLOAT32 || kernels->gemm_bfloat16 != NULL);
    if (product->precision == TGR_PRECISION_BFLOAT16) return kernels->gemm_bfloat16;
    const int narrow = product->n <= 16 || (product->n <= 64 && product->k <= 64);
    return narrow ? kernels->gemm_narrow : kernels->gemm;
}

void tgr_gemm_serial(const tgr_kernels *kernels, const tgr_gemm *product, float *scratch) {
    variant_for(kernels, product)(product, scratch);
}

void tgr_gemm_finish(const tgr_gemm *product, int64_t row, int64_t rows, int64_t column, int64_t columns) {
    const tgr_kernels *kernels = product->kernels;
    if (product->epilogue == TGR_EPILOGUE_NONE) return;
    TGR_ASSERT(column % 16 == 0 && product->after != NULL);
    for (int64_t i = row; i < row + rows; i++) {
        int64_t at = i * product->c_row + column;
        float *c = product->c + at;
        if (product->epilogue == TGR_EPILOGUE_GELU)
            kernels->gelu(columns, c, product->after + at);
        else
            kernels->gelu_backward(columns, product->before + at, c, product->after + at, c);
    }
}

static void run_task(void *context, int64_t task, int worker) {
    const gemm_job *job = context;
    const tgr_gemm *product = job->products;
    tiling tiles = tiling_of(product, job->share);
    for (; task >= tiles.count; tiles = tiling_of(++product, job->share)) task -= tiles.count;
    tgr_gemm tile = tile_at(product, &tiles, task);
    tile.kernels = job->compute->kernels;
    variant_for(tile.kernels, product)(&tile, job->compute->scratch[worker]);
}

/* A single product is cut into one tile per thread. If there are several, which take different times, tiles are half as
 * large. */
void tgr_gemm_run(const tgr_compute *compute, const tgr_gemm *products, int64_t count) {
    const int64_t threads = compute->workers, shares = threads == 1 || count == 1 ? threads : 2 * threads;
    int64_t work = 0, tasks = 0;
    TGR_ASSERT(compute->scratch_floats >= TGR_GEMM_SCRATCH);
    for (int64_t i = 0; i < count; i++) work += work_of(&products[i]);
    gemm_job job = {.compute = compute, .products = products};
    job.share = larger(divide_up(work, shares), LEAST_WORK);
    for (int64_t i = 0; i < count; i++) tasks += tiling_of(&products[i], job.share).count;
    if (tasks > 0) tgr_parallel(compute, tasks, run_task, &job);
}

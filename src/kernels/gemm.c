/* SPDX-License-Identifier: MIT */
/* Lists of matrix products in parallel. The list is laid out on a line by its work (multiply-adds); the line is cut
 * into equal shares, one per task, and a task computes the tiles that begin within its share. */
#include "kernels/gemm.h"

#include "base/context.h"
#include "kernels/kernels.h"

enum {
    MOST_TASKS = 16,      /* smaller tiles read A and B more often: 16 cost a tenth of the speed where k is large */
    LEAST_WORK = 1 << 20, /* of a task: some ten microseconds */
    LEAST_ROWS = 28,      /* of a tile */
    LEAST_COLUMNS = 64,
    COLUMN_UNIT = 32, /* tiles begin at multiples of the widest micro-tile */
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
    return tile;
}

/* Halves the tile until it is no more than a share. B is rearranged anew for every tile, and so is A unless its rows
 * are read in place; then tiles are higher than wide. */
static void choose_tile(const tgr_gemm *product, int64_t share, int64_t *rows, int64_t *columns) {
    int64_t height = product->a_col == 1 ? 4 : 1;
    *rows = product->m;
    *columns = product->n;
    while (*rows * *columns * (product->k + 1) > share) {
        int rows_can = *rows >= 2 * LEAST_ROWS, columns_can = *columns >= 2 * LEAST_COLUMNS;
        if (rows_can && (*rows > height * *columns || !columns_can)) {
            *rows = (*rows + 1) / 2;
        } else if (columns_can) {
            *columns = (*columns / 2 + COLUMN_UNIT - 1) / COLUMN_UNIT * COLUMN_UNIT;
        } else {
            return;
        }
    }
}

/* Computes those tiles of a product that begin in [begin, end), the product itself beginning at zero. */
static void run_tiles(const gemm_job *job, const tgr_gemm *product, int64_t begin, int64_t end, int worker) {
    int64_t rows, columns, position = 0;
    choose_tile(product, job->share, &rows, &columns);
    for (int64_t column = 0; column < product->n; column += columns) {
        for (int64_t row = 0; row < product->m; row += rows) {
            tgr_gemm tile = tile_at(product, row, column, rows, columns);
            if (position >= begin && position < end) {
                job->compute->kernels->gemm(&tile, job->compute->scratch[worker]);
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
    int64_t work = 0;
    for (int64_t i = 0; i < count; i++) work += work_of(&products[i]);
    if (work == 0) return;
    int64_t most = smaller(MOST_TASKS, work / LEAST_WORK), tasks = most > 0 ? most : 1;
    gemm_job job = {.compute = compute, .products = products, .count = count, .share = (work + tasks - 1) / tasks};
    tgr_parallel(compute, tasks, run_task, &job);
}

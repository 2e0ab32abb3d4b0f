/* SPDX-License-Identifier: MIT */
/* The driver of the blocked product. k is cut at multiples of the blocking's depth only, and every micro-tile sums in
 * the same order, so an element of C doesn't depend on how the rest of C is cut. */
#include "kernels/gemm_blocked.h"

/* One block of the product: all rows, `columns` columns from `column`, `k` steps of the sum from `step`. */
typedef struct gemm_block {
    const tgr_blocking *by;
    const tgr_gemm *product;
    int64_t column, columns, step, k;
    float *a_panel;  /* room for one packed panel of A */
    float *b_panels; /* room for the packed panels of B */
} gemm_block;

static int64_t smaller(int64_t a, int64_t b) {
    return a < b ? a : b;
}

static int64_t round_up(int64_t value, int64_t unit) {
    return (value + unit - 1) / unit * unit;
}

/* The panels are never much smaller than a micro-tile: 16 rows are 8 + 8 rather than 14 + 2. */
static int64_t panel_start(int64_t count, int64_t panels, int64_t panel) {
    int64_t rest = count % panels;
    return count / panels * panel + smaller(panel, rest);
}

/* Reading B where it is saves writing it, but walks through many pages; it pays while B is used a few times only. */
static int reads_b_in_place(const gemm_block *block) {
    return block->product->b_col == 1 && block->product->m <= 2 * block->by->rows;
}

static int b_panel_is_packed(const gemm_block *block, int64_t columns) {
    return !reads_b_in_place(block) || columns % block->by->vector != 0;
}

static void pack_b(const gemm_block *block) {
    const tgr_gemm *product = block->product;
    int64_t width = block->by->columns;
    for (int64_t j = 0; j < block->columns; j += width) {
        int64_t columns = smaller(width, block->columns - j);
        if (!b_panel_is_packed(block, columns)) continue;
        block->by->pack(&(tgr_panel){
            .lanes = columns,
            .k = block->k,
            .from = product->b + (block->column + j) * product->b_col + block->step * product->b_row,
            .from_lane = product->b_col,
            .from_k = product->b_row,
            .to = block->b_panels + j * block->k,
            .to_row = width,
        });
    }
}

/* Rows of A are read where they are, unless they would fall into the same sets of the cache. Columns of A are read
 * where they are only when they are used once. */
static int reads_a_in_place(const gemm_block *block) {
    const tgr_gemm *product = block->product;
    if (block->columns <= block->by->columns) return 1;
    return product->a_col == 1 && product->a_row % 512 != 0;
}

/* Points the tile to `rows` rows of A from `row`. */
static void take_a(const gemm_block *block, int64_t row, int64_t rows, tgr_micro_tile *tile) {
    const tgr_gemm *product = block->product;
    tile->a = product->a + row * product->a_row + block->step * product->a_col;
    tile->a_row = product->a_row;
    tile->a_col = product->a_col;
    if (reads_a_in_place(block)) return;
    int64_t stride = round_up(block->by->rows, block->by->vector);
    block->by->pack(&(tgr_panel){
        .lanes = rows,
        .k = block->k,
        .from = tile->a,
        .from_lane = product->a_row,
        .from_k = product->a_col,
        .to = block->a_panel,
        .to_row = stride,
    });
    tile->a = block->a_panel;
    tile->a_row = 1;
    tile->a_col = stride;
}

/* Rows of C from `row`: the panel of A stays in the first-level cache while those of B stream by. */
static void multiply_rows(const gemm_block *block, int64_t row, int64_t rows) {
    const tgr_gemm *product = block->product;
    tgr_micro_tile tile = {.k = block->k, .c_row = product->c_row};
    take_a(block, row, rows, &tile);
    tile.accumulate = product->accumulate || block->step > 0;
    int64_t width = block->by->columns;
    for (int64_t j = 0; j < block->columns; j += width) {
        int64_t columns = smaller(width, block->columns - j), column = block->column + j;
        int packed = b_panel_is_packed(block, columns);
        tile.b = packed ? block->b_panels + j * block->k : product->b + column + block->step * product->b_row;
        tile.b_row = packed ? width : product->b_row;
        tile.c = product->c + row * product->c_row + column;
        tile.bias = product->bias && block->step == 0 ? product->bias + column : NULL;
        block->by->multiply(rows, columns, &tile);
    }
}

static void multiply_block(const gemm_block *block) {
    int64_t m = block->product->m, panels = (m + block->by->rows - 1) / block->by->rows;
    pack_b(block);
    for (int64_t panel = 0; panel < panels; panel++) {
        int64_t row = panel_start(m, panels, panel);
        multiply_rows(block, row, panel_start(m, panels, panel + 1) - row);
    }
}

void tgr_gemm_blocked(const tgr_blocking *blocking, const tgr_gemm *product, float *scratch) {
    gemm_block block = {.by = blocking, .product = product, .a_panel = scratch};
    block.b_panels = scratch + round_up(blocking->rows, blocking->vector) * blocking->depth;
    if (product->m == 0) return;
    for (block.column = 0; block.column < product->n; block.column += blocking->width) {
        block.columns = smaller(blocking->width, product->n - block.column);
        block.step = 0;
        do { /* once even when k is zero: C is set to zero or the bias */
            block.k = smaller(blocking->depth, product->k - block.step);
            multiply_block(&block);
            block.step += blocking->depth;
        } while (block.step < product->k);
    }
}

/* SPDX-License-Identifier: MIT */
/* The driver of the blocked product. k is cut only at multiples of the blocking's depth, and every micro-tile sums in
 * the same order, so an element of C does not depend on how the rest of C is cut. */
#include "kernels/blocked/gemm_blocked.h"

#include "base/assert.h"

enum {
    GROUP = 8,  /* panels of A packed together: they stay in the second-level cache */
    CHUNK = 16, /* rows of a matrix read at the same time while packing: as many streams as processors can follow */
    PAGE_FLOATS = 1024, /* addresses that differ by multiples of this share a set of the first-level cache */
};

/* One block of the product: all rows, `columns` columns starting at `column`, `k` steps of the sum starting at `step`.
 */
typedef struct gemm_block {
    const tgr_blocking *by;
    const tgr_gemm *product;
    int64_t column, columns, step, k;
    int64_t panel_rows; /* rows of A in a panel */
    int64_t a_stride;   /* of packed panels of A */
    float *a_panels;    /* room for GROUP packed panels */
    float *b_panels;    /* room for the packed panels of all columns */
} gemm_block;

static int64_t smaller(int64_t a, int64_t b) {
    return a < b ? a : b;
}
static int64_t divide_up(int64_t a, int64_t b) {
    return (a + b - 1) / b;
}

/* A matrix whose lanes are cut into panels of `width`. */
typedef struct packing {
    int64_t lanes, width, k;
    const float *from;
    int64_t from_lane, from_k;
    float *to;
    int64_t stride; /* of a packed panel */
} packing;

/* Packs in memory order of the source: where lanes are contiguous, a few rows over all panels, then the next few. */
static void pack(const tgr_blocking *by, const packing *p) {
    int64_t steps = p->from_lane == 1 ? CHUNK : p->k;
    for (int64_t l = 0; l < p->k; l += steps) {
        for (int64_t lane = 0; lane < p->lanes; lane += p->width) {
            by->pack(&(tgr_panel){
                .lanes = smaller(p->width, p->lanes - lane),
                .k = smaller(steps, p->k - l),
                .from = p->from + lane * p->from_lane + l * p->from_k,
                .from_lane = p->from_lane,
                .from_k = p->from_k,
                .to = p->to + (lane / p->width * p->k + l) * p->stride,
                .to_row = p->stride,
            });
        }
    }
}

/* Reading B in place saves writing it, but each panel touches many pages; it pays only if B is used a few times. A last
 * panel that ends inside a vector is packed in any case. */
static int64_t b_columns_in_place(const gemm_block *block) {
    if (block->product->b_col != 1 || block->product->m > 4 * block->by->rows) return 0;
    if (block->columns % block->by->vector == 0) return block->columns;
    return block->columns / block->by->columns * block->by->columns;
}

static void pack_b(const gemm_block *block) {
    const tgr_gemm *product = block->product;
    int64_t first = b_columns_in_place(block);
    pack(block->by, &(packing){
                        .lanes = block->columns - first,
                        .width = block->by->columns,
                        .k = block->k,
                        .from = product->b + (block->column + first) * product->b_col + block->step * product->b_row,
                        .from_lane = product->b_col,
                        .from_k = product->b_row,
                        .to = block->b_panels + first * block->k,
                        .stride = block->by->columns,
                    });
}

/* A is read in place if it is used only once. Contiguous rows are read in place anyway, unless they fall into the same
 * sets of the cache; contiguous columns, where each step reads another row, only for a few uses and on the same
 * condition. */
static int reads_a_in_place(const gemm_block *block) {
    const tgr_gemm *product = block->product;
    int64_t uses = divide_up(block->columns, block->by->columns);
    if (uses <= 1) return 1;
    if (product->a_col == 1) return product->a_row % (PAGE_FLOATS / 2) != 0;
    return product->a_row == 1 && uses <= 4 && product->a_col % (PAGE_FLOATS / 4) != 0;
}

static void pack_a(const gemm_block *block, int64_t row, int64_t rows) {
    const tgr_gemm *product = block->product;
    pack(block->by, &(packing){
                        .lanes = rows,
                        .width = block->panel_rows,
                        .k = block->k,
                        .from = product->a + row * product->a_row + block->step * product->a_col,
                        .from_lane = product->a_row,
                        .from_k = product->a_col,
                        .to = block->a_panels,
                        .stride = block->a_stride,
                    });
}

/* One panel of A, which stays in the first-level cache, times all panels of B. The caller fills in the tile's A. */
static void multiply_panel(const gemm_block *block, int64_t row, int64_t rows, tgr_micro_tile tile) {
    const tgr_gemm *product = block->product;
    int64_t width = block->by->columns, in_place = b_columns_in_place(block);
    tile.k = block->k;
    tile.c_row = product->c_row;
    tile.accumulate = product->accumulate || block->step > 0;
    for (int64_t j = 0; j < block->columns; j += width) {
        int64_t column = block->column + j;
        tile.b = j < in_place ? product->b + column + block->step * product->b_row : block->b_panels + j * block->k;
        tile.b_row = j < in_place ? product->b_row : width;
        tile.c = product->c + row * product->c_row + column;
        tile.bias = product->bias && block->step == 0 ? product->bias + column : NULL;
        block->by->multiply(rows, smaller(width, block->columns - j), &tile);
    }
}

/* A group of panels of A, `rows` rows starting at `row`. */
static void multiply_group(const gemm_block *block, int64_t row, int64_t rows) {
    const tgr_gemm *product = block->product;
    int in_place = reads_a_in_place(block);
    if (!in_place) pack_a(block, row, rows);
    for (int64_t i = 0; i < rows; i += block->panel_rows) {
        tgr_micro_tile tile = {.a = block->a_panels + i / block->panel_rows * block->a_stride * block->k,
                               .a_row = 1,
                               .a_col = block->a_stride};
        if (in_place) {
            tile.a = product->a + (row + i) * product->a_row + block->step * product->a_col;
            tile.a_row = product->a_row;
            tile.a_col = product->a_col;
        }
        multiply_panel(block, row + i, smaller(block->panel_rows, rows - i), tile);
        if (block->step + block->k == product->k)
            tgr_gemm_finish(product, row + i, smaller(block->panel_rows, rows - i), block->column, block->columns);
    }
}

static void multiply_block(const gemm_block *block) {
    int64_t m = block->product->m, group = GROUP * block->panel_rows;
    pack_b(block);
    for (int64_t row = 0; row < m; row += group) multiply_group(block, row, smaller(group, m - row));
}

void tgr_gemm_blocked(const tgr_blocking *by, const tgr_gemm *product, float *scratch) {
    if (product->m == 0) return;
    gemm_block block = {.by = by, .product = product, .a_panels = scratch};
    block.panel_rows = divide_up(product->m, divide_up(product->m, by->rows)); /* 16 rows are 8 + 8, not 14 + 2 */
    block.a_stride = divide_up(by->rows, by->vector) * by->vector;
    TGR_ASSERT(by->depth * (GROUP * block.a_stride + divide_up(by->width, by->columns) * by->columns) <=
               TGR_GEMM_SCRATCH);
    block.b_panels = scratch + GROUP * block.a_stride * by->depth;
    for (block.column = 0; block.column < product->n; block.column += by->width) {
        block.columns = smaller(by->width, product->n - block.column);
        block.step = 0;
        do { /* runs once even if k is zero: C is set to zero or the bias */
            block.k = smaller(by->depth, product->k - block.step);
            multiply_block(&block);
            block.step += by->depth;
        } while (block.step < product->k);
    }
}

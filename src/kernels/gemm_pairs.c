/* SPDX-License-Identifier: MIT */
/* The driver of products by bfloat16 pairs: blocks that fit the caches, packed in parts. Rows of A and columns of B
 * with numbers that have no three parts (infinities, NaN, what rounds to infinity) are left out of the tiles and added
 * as chains of multiply-adds. */
#include "kernels/gemm_pairs.h"

#if defined(__x86_64__)

#include <immintrin.h>
#include <math.h>
#include <string.h>

enum {
    LANES = TGR_PAIR_LANES,
    STEPS = TGR_PAIR_STEPS,
    COLUMNS = TGR_PAIR_PANEL_TILES * LANES, /* of a panel of B */
    MOST_WIDTH = 512,                       /* columns in a block */
    LEAST_DEPTH = 384,                      /* steps of k in a block, where there are so many */
    BLOCK = MOST_WIDTH * LEAST_DEPTH,       /* numbers of B in a block: packed, they stay in the second-level cache */
    MOST_GROUP = 4,                         /* panels of A that are packed together, */
    GROUP_DEPTH = MOST_GROUP * LEAST_DEPTH, /* with this many steps in all */
};

/* One block of the product: all rows, `columns` columns from `column`, `k` steps of the sum from `step`. */
typedef struct block {
    const tgr_pair_unit *unit;
    const tgr_gemm *product;
    int parts;
    int64_t tile_rows; /* of A and C in a tile, up to 16 */
    int64_t column, columns, step, k;
    int64_t group; /* panels of A that may be packed together */
    int64_t panel_size;
    uint16_t *a_panels, *b_panels;
    uint32_t a_flags[MOST_GROUP], b_flags[MOST_WIDTH / COLUMNS]; /* rows and columns that are not in the tiles */
} block;

static int64_t smaller(int64_t a, int64_t b) {
    return a < b ? a : b;
}
static int64_t divide_up(int64_t a, int64_t b) {
    return (a + b - 1) / b;
}

static void pack_b(block *b) {
    const tgr_gemm *product = b->product;
    tgr_pair_pack_b(&(tgr_pair_packing){
        .parts = b->parts,
        .lanes = b->columns,
        .tile_lanes = LANES,
        .k = b->k,
        .from = product->b + b->column * product->b_col + b->step * product->b_row,
        .from_lane = product->b_col,
        .from_k = product->b_row,
        .to = b->b_panels,
        .flags = b->b_flags,
    });
}

static void pack_a(block *b, int64_t row, int64_t rows) {
    const tgr_gemm *product = b->product;
    tgr_pair_pack_a(&(tgr_pair_packing){
        .parts = b->parts,
        .lanes = rows,
        .tile_lanes = b->tile_rows,
        .k = b->k,
        .from = product->a + row * product->a_row + b->step * product->a_col,
        .from_lane = product->a_row,
        .from_k = product->a_col,
        .to = b->a_panels,
        .flags = b->a_flags,
    });
}

/* Adds to C what the tiles left out: this block's part of the flagged rows and columns. */
static void add_flagged(const block *b, int64_t row, int64_t rows, uint32_t row_flags, int64_t column, int64_t columns,
                        uint32_t column_flags) {
    const tgr_gemm *product = b->product;
    for (int64_t i = 0; i < rows; i++) {
        for (int64_t j = 0; j < columns; j++) {
            if ((row_flags >> i & 1) == 0 && (column_flags >> j & 1) == 0) continue;
            const float *x = product->a + (row + i) * product->a_row, *y = product->b + (column + j) * product->b_col;
            float sum = 0;
            for (int64_t l = b->step; l < b->step + b->k; l++)
                sum = fmaf(x[l * product->a_col], y[l * product->b_row], sum);
            product->c[(row + i) * product->c_row + column + j] += sum;
        }
    }
}

/* One micro-tile where C is smaller than whole tiles, or both old C and bias are added: by way of a buffer. */
static void multiply_edge(const block *b, int64_t rows, int64_t columns, tgr_pair_tile tile, float *c, int accumulate,
                          const float *bias) {
    const int64_t c_row = b->product->c_row;
    float buffer[COLUMNS * COLUMNS] __attribute__((aligned(64)));
    for (int64_t i = 0; i < 2 * b->tile_rows; i++) {
        for (int64_t j = 0; j < COLUMNS; j++) {
            int inside = i < rows && j < columns;
            buffer[i * COLUMNS + j] = !inside              ? 0.0f
                                      : bias && accumulate ? c[i * c_row + j] + bias[j]
                                      : bias               ? bias[j]
                                      : accumulate         ? c[i * c_row + j]
                                                           : 0.0f;
        }
    }
    tile.start = tile.c = buffer;
    tile.start_row = tile.c_row = COLUMNS;
    b->unit->multiply(&tile);
    for (int64_t i = 0; i < rows; i++) memcpy(c + i * c_row, buffer + i * COLUMNS, (size_t)columns * sizeof(float));
}

/* Panel `panel` of the group of A by panel `index` of B. */
static void multiply_tile(const block *b, int64_t row, int64_t rows, int64_t panel, int64_t index) {
    const tgr_gemm *product = b->product;
    const int64_t column = b->column + index * COLUMNS, columns = smaller(COLUMNS, b->columns - index * COLUMNS);
    const int accumulate = product->accumulate || b->step > 0;
    const float *bias = product->bias && b->step == 0 ? product->bias + column : NULL;
    float *c = product->c + row * product->c_row + column;
    for (int64_t i = 0; i < rows; i++) {
        __builtin_prefetch(c + i * product->c_row, 1);
        __builtin_prefetch(c + i * product->c_row + columns - 1, 1);
    }
    tgr_pair_tile tile = {.parts = b->parts,
                          .tall = rows > b->tile_rows,
                          .wide = columns > LANES,
                          .a = b->a_panels + panel * b->panel_size,
                          .b = b->b_panels + index * b->panel_size,
                          .steps = divide_up(b->k, STEPS),
                          .start = accumulate ? c : bias, /* rows of bias are 0 apart */
                          .start_row = accumulate ? product->c_row : 0,
                          .c = c,
                          .c_row = product->c_row,
                          .tile_rows = b->tile_rows};
    const int whole_rows = rows == 2 * b->tile_rows || rows == b->tile_rows;
    const int whole_columns = columns == COLUMNS || columns == LANES;
    if (whole_rows && whole_columns && !(accumulate && bias))
        b->unit->multiply(&tile);
    else
        multiply_edge(b, rows, columns, tile, c, accumulate, bias);
    if (b->a_flags[panel] | b->b_flags[index])
        add_flagged(b, row, rows, b->a_flags[panel], column, columns, b->b_flags[index]);
}

/* Fetches share `index` of `count` of the numbers that the next group of A is packed from. */
static void prefetch_a(const block *b, int64_t row, int64_t rows, int64_t index, int64_t count) {
    const tgr_gemm *product = b->product;
    const int along_k = product->a_col == 1;
    const int64_t lines = along_k ? rows : b->k, numbers = along_k ? b->k : rows;
    const int64_t stride = along_k ? product->a_row : product->a_col;
    const float *from = product->a + row * product->a_row + b->step * product->a_col;
    for (int64_t line = lines * index / count; line < lines * (index + 1) / count; line++)
        for (int64_t i = 0; i < numbers; i += LANES)
            _mm_prefetch((const char *)(from + line * stride + i), _MM_HINT_T1);
}

static void multiply_block(block *b) {
    const int64_t height = 2 * b->tile_rows, m = b->product->m, panels = divide_up(b->columns, COLUMNS);
    const int64_t most_rows = (b->product->a_col == 1 ? 1 : b->group) * height;
    const int complete = b->step + b->k == b->product->k;
    b->panel_size = tgr_pair_panel_size(b->parts, b->k);
    pack_b(b);
    for (int64_t group = 0; group < m; group += most_rows) {
        const int64_t rows = smaller(most_rows, m - group), next = group + rows;
        const int64_t next_rows = smaller(most_rows, m - next), tiles = divide_up(rows, height) * panels;
        pack_a(b, group, rows);
        for (int64_t tile = 0; tile < tiles; tile++) {
            const int64_t panel = tile / panels, row = group + panel * height;
            prefetch_a(b, next, next_rows, tile, tiles);
            multiply_tile(b, row, smaller(height, m - row), panel, tile % panels);
            if (complete && (tile + 1) % panels == 0)
                tgr_gemm_finish(b->product, row, smaller(height, m - row), b->column, b->columns);
        }
    }
}

/* As few equal parts of n as there can be, none larger than `most`, multiples of 32. */
static int64_t equal_parts(int64_t n, int64_t most) {
    int64_t part = n > 0 ? divide_up(n, divide_up(n, most)) : 1;
    return divide_up(part, STEPS) * STEPS;
}

/* Where k is cut does not change a bit: what C holds between two blocks is what a tile register would. */
void tgr_gemm_pairs(const tgr_pair_unit *unit, int parts, const tgr_gemm *product, float *scratch) {
    if (product->m == 0 || product->n == 0) return;
    const int64_t width = equal_parts(product->n, MOST_WIDTH);
    const int64_t depth = equal_parts(product->k, smaller(BLOCK / width / STEPS * STEPS, GROUP_DEPTH));
    block b = {.unit = unit, .product = product, .parts = parts, .group = smaller(GROUP_DEPTH / depth, MOST_GROUP)};
    b.a_panels = (uint16_t *)scratch;
    b.b_panels = b.a_panels + b.group * tgr_pair_panel_size(parts, depth);
    b.tile_rows = divide_up(product->m, divide_up(product->m, LANES)); /* 50 rows are 4 · 13, not 3 · 16 + 2 */
    if (unit->begin) unit->begin(b.tile_rows);
    for (b.column = 0; b.column < product->n; b.column += width) {
        b.columns = smaller(width, product->n - b.column);
        b.step = 0;
        do { /* once even when k is zero: C is set to zero or the bias */
            b.k = smaller(depth, product->k - b.step);
            multiply_block(&b);
            b.step += depth;
        } while (b.step < product->k);
    }
    if (unit->end) unit->end();
}

_Static_assert((BLOCK + GROUP_DEPTH * COLUMNS) * TGR_PAIR_MOST_PARTS <= TGR_GEMM_SCRATCH * 2,
               "the scratch holds the panels");

#else
typedef int tgr_gemm_pairs_is_for_x86_64;
#endif

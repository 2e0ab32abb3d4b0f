/* SPDX-License-Identifier: MIT */
/* The driver of products by bfloat16 pairs: blocks that fit the caches, packed in parts. Rows of A and columns of B
 * with numbers that have no three parts (infinities, NaN, what rounds to infinity) are left out of the tiles and added
 * by chains of multiply-adds. */
#include "kernels/avx512/isa.h"

#include "kernels/avx512/pairs.h"

#if defined(__x86_64__)

#include <immintrin.h>
#include <math.h>
#include <string.h>

enum {
    LANES = TGR_PAIR_LANES,
    STEPS = TGR_PAIR_STEPS,
    COLUMNS = TGR_PAIR_PANEL_TILES * LANES, /* of a panel of B */
    MOST_LANES = 512,                       /* rows or columns of the operand that stays packed (the resident one) */
    LEAST_DEPTH = 384,                      /* steps of k in a block, if there are that many */
    MOST_DEPTH = 4 * LEAST_DEPTH,
    RESIDENT = MOST_LANES * LEAST_DEPTH, /* numbers of that operand; packed, they stay in the second-level cache */
    PASSING = 4 * COLUMNS * LEAST_DEPTH, /* of the other one, a few panels at a time */
    MOST_PANELS = MOST_LANES / COLUMNS,
    ROOM = RESIDENT * TGR_PAIR_MOST_PARTS, /* for the packed operand that stays */
};

/* What is packed at a time: `rows` rows of A starting at `row`, `columns` columns of B starting at `column`, `k` steps
 * of the sum starting at `step`. */
typedef struct block {
    const tgr_pair_unit *unit;
    const tgr_gemm *product;
    int parts;
    int64_t tile_rows; /* of A and C in a tile, up to 16 */
    int64_t row, rows, column, columns, step, k;
    uint16_t *a_panels, *b_panels;
    uint32_t a_flags[MOST_PANELS], b_flags[MOST_PANELS]; /* rows and columns that are not in the tiles */
} block;

static int64_t smaller(int64_t a, int64_t b) {
    return a < b ? a : b;
}
static int64_t divide_up(int64_t a, int64_t b) {
    return (a + b - 1) / b;
}

static void pack_a(block *b) {
    const tgr_gemm *product = b->product;
    tgr_pair_pack_a(&(tgr_pair_packing){
        .parts = b->parts,
        .lanes = b->rows,
        .tile_lanes = b->tile_rows,
        .k = b->k,
        .from = product->a + b->row * product->a_row + b->step * product->a_col,
        .from_lane = product->a_row,
        .from_k = product->a_col,
        .to = b->a_panels,
        .flags = b->a_flags,
    });
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

/* One micro-tile computed in a buffer, where C is smaller than whole tiles or both old C and bias are added. */
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

/* Panel `panel` of A times panel `index` of B. */
static void multiply_tile(const block *b, int64_t panel, int64_t index) {
    const tgr_gemm *product = b->product;
    const int64_t height = 2 * b->tile_rows, size = tgr_pair_panel_size(b->parts, b->k);
    const int64_t row = b->row + panel * height, rows = smaller(height, b->rows - panel * height);
    const int64_t column = b->column + index * COLUMNS, columns = smaller(COLUMNS, b->columns - index * COLUMNS);
    const int accumulate = product->accumulate || b->step > 0;
    const float *bias = product->bias && b->step == 0 ? product->bias + column : NULL;
    float *c = product->c + row * product->c_row + column;
    tgr_pair_tile tile = {.parts = b->parts,
                          .tall = rows > b->tile_rows,
                          .wide = columns > LANES,
                          .a = b->a_panels + panel * size,
                          .b = b->b_panels + index * size,
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

/* What is packed next, fetched in the meantime. */
typedef struct upcoming {
    const float *from;
    int64_t lanes, lane_stride, k, k_stride;
} upcoming;

/* Fetches share `index` of `count`. */
static void prefetch(const upcoming *next, int64_t index, int64_t count) {
    const int along_k = next->k_stride == 1;
    const int64_t lines = along_k ? next->lanes : next->k, numbers = along_k ? next->k : next->lanes;
    const int64_t stride = along_k ? next->lane_stride : next->k_stride;
    for (int64_t line = lines * index / count; line < lines * (index + 1) / count; line++)
        for (int64_t i = 0; i < numbers; i += LANES)
            _mm_prefetch((const char *)(next->from + line * stride + i), _MM_HINT_T1);
}

/* All packed panels of A times all of B. */
static void multiply_packed(const block *b, const upcoming *next) {
    const int64_t height = 2 * b->tile_rows, panels = divide_up(b->columns, COLUMNS);
    const int64_t tiles = divide_up(b->rows, height) * panels;
    for (int64_t tile = 0; tile < tiles; tile++) {
        if (next->lanes > 0) prefetch(next, tile, tiles);
        multiply_tile(b, tile / panels, tile % panels);
        if ((tile + 1) % panels != 0 || b->step + b->k < b->product->k) continue;
        const int64_t row = tile / panels * height;
        tgr_gemm_finish(b->product, b->row + row, smaller(height, b->rows - row), b->column, b->columns);
    }
}

/* How many panels of the streamed operand are packed together. */
static int64_t passing_panels(const block *b, int64_t most) {
    return b->k > 0 ? smaller(PASSING / b->k / COLUMNS, most) : 1;
}

/* All columns of B stay packed, rows of A are streamed: panel by panel, or a few together where their memory is
 * strided. */
static void pass_rows(block *b) {
    const tgr_gemm *product = b->product;
    const int64_t most_rows = (product->a_col == 1 ? 1 : passing_panels(b, 4)) * 2 * b->tile_rows;
    pack_b(b);
    for (b->row = 0; b->row < product->m; b->row += most_rows) {
        const int64_t end = b->row + smaller(most_rows, product->m - b->row);
        const upcoming next = {.from = product->a + end * product->a_row + b->step * product->a_col,
                               .lanes = smaller(most_rows, product->m - end),
                               .lane_stride = product->a_row,
                               .k = b->k,
                               .k_stride = product->a_col};
        b->rows = end - b->row;
        pack_a(b);
        multiply_packed(b, &next);
    }
}

/* All rows of A stay packed, columns of B are streamed. */
static void pass_columns(block *b) {
    const tgr_gemm *product = b->product;
    const int64_t most_columns = passing_panels(b, 2) * COLUMNS;
    pack_a(b);
    for (b->column = 0; b->column < product->n; b->column += most_columns) {
        const int64_t end = b->column + smaller(most_columns, product->n - b->column);
        const upcoming next = {.from = product->b + end * product->b_col + b->step * product->b_row,
                               .lanes = smaller(most_columns, product->n - end),
                               .lane_stride = product->b_col,
                               .k = b->k,
                               .k_stride = product->b_row};
        b->columns = end - b->column;
        pack_b(b);
        multiply_packed(b, &next);
    }
}

_Static_assert(ROOM + PASSING * TGR_PAIR_MOST_PARTS <= TGR_GEMM_SCRATCH * 2, "the scratch holds the panels");

/* The size of the fewest equal parts of n, multiples of 32, none larger than `most`. */
static int64_t equal_parts(int64_t n, int64_t most) {
    int64_t part = n > 0 ? divide_up(n, divide_up(n, most)) : 1;
    return divide_up(part, STEPS) * STEPS;
}

/* The depth of a block whose resident operand has that many lanes. */
static int64_t depth_for(int64_t lanes, int64_t k) {
    return equal_parts(k, smaller(RESIDENT / (divide_up(lanes, STEPS) * STEPS) / STEPS * STEPS, MOST_DEPTH));
}

static void multiply_by_rows(block *b) {
    const tgr_gemm *product = b->product;
    const int64_t width = equal_parts(product->n, MOST_LANES), depth = depth_for(width, product->k);
    for (int64_t column = 0; column < product->n; column += width) {
        b->column = column;
        b->columns = smaller(width, product->n - column);
        b->step = 0;
        do { /* runs once even if k is zero: C is set to zero or the bias */
            b->k = smaller(depth, product->k - b->step);
            pass_rows(b);
            b->step += depth;
        } while (b->step < product->k);
    }
}

static void multiply_by_columns(block *b) {
    const tgr_gemm *product = b->product;
    const int64_t depth = depth_for(product->m, product->k);
    b->rows = product->m;
    do {
        b->k = smaller(depth, product->k - b->step);
        pass_columns(b);
        b->step += depth;
    } while (b->step < product->k);
}

/* The operand that fits the cache stays packed in it, so that each is packed once; the other one, the larger, is
 * streamed in memory order. Neither this nor where k is cut changes a bit: between two blocks C holds what a tile
 * register would. */
void tgr_gemm_pairs(const tgr_pair_unit *unit, int parts, const tgr_gemm *product, float *scratch) {
    if (product->m == 0 || product->n == 0) return;
    block b = {.unit = unit, .product = product, .parts = parts};
    b.tile_rows = divide_up(product->m, divide_up(product->m, LANES)); /* 50 rows are 4 · 13, not 3 · 16 + 2 */
    if (unit->begin) unit->begin(b.tile_rows);
    const int by_columns =
        product->b_row == 1 && product->m <= MOST_LANES && product->m < product->n && product->m <= product->k;
    uint16_t *staying = (void *)scratch, *passing = staying + ROOM;
    b.a_panels = by_columns ? staying : passing;
    b.b_panels = by_columns ? passing : staying;
    (by_columns ? multiply_by_columns : multiply_by_rows)(&b);
    if (unit->end) unit->end();
}

#else
typedef int tgr_gemm_pairs_is_for_x86_64;
#endif

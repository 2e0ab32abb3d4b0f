/* SPDX-License-Identifier: MIT */
/* Products by AMX's tile unit: two to three times as fast as multiply-adds if operands have three parts, ten times if
 * they have one. */
#include "kernels/amx/isa.h"

#if defined(__x86_64__)

#include <immintrin.h>

#include "kernels/avx512/pairs.h"
#include "kernels/variants.h"

enum {
    LANES = TGR_PAIR_LANES,
    TILE = TGR_PAIR_TILE,
    TILE_ROW_BYTES = 64,
};

/* `parts`, `tall` (two tiles of rows) and `wide` (two tiles of columns) are constants wherever this is inlined. The
 * empty asm statements keep the compiler from moving memory accesses across tile loads and stores, which it does not
 * see. */
static inline __attribute__((always_inline)) void multiply(const int parts, const int tall, const int wide,
                                                           const tgr_pair_tile *t) {
    const size_t start_row = (size_t)t->start_row * sizeof(float), c_row = (size_t)t->c_row * sizeof(float);
    const uint16_t *a = t->a, *b = t->b;
    __asm__ volatile("" ::: "memory");
    if (t->start) {
        const float *lower = t->start + t->tile_rows * t->start_row;
        _tile_loadd(0, t->start, start_row);
        if (wide) _tile_loadd(1, t->start + LANES, start_row);
        if (tall) _tile_loadd(2, lower, start_row);
        if (tall && wide) _tile_loadd(3, lower + LANES, start_row);
    } else {
        _tile_zero(0);
        if (wide) _tile_zero(1);
        if (tall) _tile_zero(2);
        if (tall && wide) _tile_zero(3);
    }
#define LOAD_A(part)                                     \
    _tile_loadd(4, a + (part)*2 * TILE, TILE_ROW_BYTES); \
    if (tall) _tile_loadd(5, a + ((part)*2 + 1) * TILE, TILE_ROW_BYTES)
#define LOAD_B(part)                                     \
    _tile_loadd(6, b + (part)*2 * TILE, TILE_ROW_BYTES); \
    if (wide) _tile_loadd(7, b + ((part)*2 + 1) * TILE, TILE_ROW_BYTES)
#define ADD_PRODUCTS                   \
    _tile_dpbf16ps(0, 4, 6);           \
    if (wide) _tile_dpbf16ps(1, 4, 7); \
    if (tall) _tile_dpbf16ps(2, 5, 6); \
    if (tall && wide) _tile_dpbf16ps(3, 5, 7)
    for (int64_t step = 0; step < t->steps; step++) {
        if (parts == 3) { /* high, middle and low parts: low·high, middle·high, middle·middle, high·middle, … */
            LOAD_A(2);
            LOAD_B(0);
            ADD_PRODUCTS;
            LOAD_A(1);
            ADD_PRODUCTS;
            LOAD_B(1);
            ADD_PRODUCTS;
            LOAD_A(0);
            ADD_PRODUCTS;
            LOAD_B(2);
            ADD_PRODUCTS;
            LOAD_B(0);
            ADD_PRODUCTS;
        } else {
            LOAD_A(0);
            LOAD_B(0);
            ADD_PRODUCTS;
        }
        /* After about 2000 cycles without a store from a tile the next one takes 900 more (measured on a
         * fourth-generation Xeon): an early store of values that C does not need yet keeps that path active. */
        if (step % (parts == 3 ? 4 : 24) == 3) _tile_stored(0, t->c, c_row);
        a += parts * 2 * TILE;
        b += parts * 2 * TILE;
    }
#undef LOAD_A
#undef LOAD_B
#undef ADD_PRODUCTS
    float *lower = t->c + t->tile_rows * t->c_row;
    _tile_stored(0, t->c, c_row);
    if (wide) _tile_stored(1, t->c + LANES, c_row);
    if (tall) _tile_stored(2, lower, c_row);
    if (tall && wide) _tile_stored(3, lower + LANES, c_row);
    __asm__ volatile("" ::: "memory");
}

static inline __attribute__((always_inline)) void multiply_parts(const int parts, const tgr_pair_tile *t) {
    if (t->tall && t->wide)
        multiply(parts, 1, 1, t);
    else if (t->tall)
        multiply(parts, 1, 0, t);
    else if (t->wide)
        multiply(parts, 0, 1, t);
    else
        multiply(parts, 0, 0, t);
}

static void multiply_tile(const tgr_pair_tile *t) {
    if (t->parts == 3)
        multiply_parts(3, t);
    else
        multiply_parts(1, t);
}

/* The layout that the processor reads (Intel SDM, LDTILECFG). */
typedef struct tile_shapes {
    uint8_t palette, start_row, reserved[14];
    uint16_t row_bytes[16];
    uint8_t rows[16];
} tile_shapes;

static void load_shapes(int64_t tile_rows) {
    tile_shapes shapes = {.palette = 1};
    for (int i = 0; i < 8; i++) {
        shapes.row_bytes[i] = TILE_ROW_BYTES;
        shapes.rows[i] = (uint8_t)(i < 6 ? tile_rows : LANES); /* tiles 6 and 7 hold B */
    }
    __asm__ volatile("" ::: "memory");
    _tile_loadconfig(&shapes);
}

static void release_shapes(void) {
    _tile_release();
}

static const tgr_pair_unit unit = {.begin = load_shapes, .multiply = multiply_tile, .end = release_shapes};

void tgr_gemm_amx(const tgr_gemm *product, float *scratch) {
    tgr_gemm_pairs(&unit, 3, product, scratch);
}

void tgr_gemm_amx_bfloat16(const tgr_gemm *product, float *scratch) {
    tgr_gemm_pairs(&unit, 1, product, scratch);
}

#else
typedef int tgr_gemm_amx_is_for_x86_64;
#endif

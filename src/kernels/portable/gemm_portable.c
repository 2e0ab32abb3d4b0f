/* SPDX-License-Identifier: MIT */
/* The product in plain C: the reference that the others are tested against, and the fallback. */
#include <string.h>

#include "kernels/variants.h"

enum { STEPS = 64, COLUMNS = 256 }; /* a block of B that stays in the second-level cache */

static int64_t smaller(int64_t a, int64_t b) {
    return a < b ? a : b;
}

/* Sets what C holds before the sum: zero or old C, and the bias. */
static void start(const tgr_gemm *product) {
    for (int64_t i = 0; i < product->m; i++) {
        float *c = product->c + i * product->c_row;
        if (!product->accumulate) memset(c, 0, (size_t)product->n * sizeof *c);
        if (!product->bias) continue;
        for (int64_t j = 0; j < product->n; j++) c[j] += product->bias[j];
    }
}

/* c[j] += Σ_l a[l]·b[l][j], in order of l, four of them for each read and write of c. */
static void multiply_row(int64_t k, int64_t n, const float *a, int64_t a_col, const float *restrict b,
                         float *restrict c) {
    int64_t l = 0;
    for (; l + 4 <= k; l += 4, b += 4 * COLUMNS) {
        float a0 = a[l * a_col], a1 = a[(l + 1) * a_col], a2 = a[(l + 2) * a_col], a3 = a[(l + 3) * a_col];
        for (int64_t j = 0; j < n; j++) {
            c[j] = c[j] + a0 * b[j] + a1 * b[COLUMNS + j] + a2 * b[2 * COLUMNS + j] + a3 * b[3 * COLUMNS + j];
        }
    }
    for (; l < k; l++, b += COLUMNS) {
        for (int64_t j = 0; j < n; j++) c[j] += a[l * a_col] * b[j];
    }
}

/* Adds the steps starting at `step` to the columns starting at `column`. `b` is room for the block of B, [STEPS,
 * COLUMNS]. */
static void multiply_block(const tgr_gemm *product, int64_t step, int64_t column, float *b) {
    int64_t k = smaller(STEPS, product->k - step), n = smaller(COLUMNS, product->n - column);
    const float *from = product->b + step * product->b_row + column * product->b_col;
    for (int64_t l = 0; l < k; l++) {
        for (int64_t j = 0; j < n; j++) b[l * COLUMNS + j] = from[l * product->b_row + j * product->b_col];
    }
    for (int64_t i = 0; i < product->m; i++) {
        const float *a = product->a + i * product->a_row + step * product->a_col;
        multiply_row(k, n, a, product->a_col, b, product->c + i * product->c_row + column);
    }
}

void tgr_gemm_portable(const tgr_gemm *product, float *scratch) {
    if (product->m == 0 || product->n == 0) return;
    start(product);
    for (int64_t column = 0; column < product->n; column += COLUMNS) {
        for (int64_t step = 0; step < product->k; step += STEPS) multiply_block(product, step, column, scratch);
    }
    tgr_gemm_finish(product, 0, product->m, 0, product->n);
}

/* SPDX-License-Identifier: MIT */
/* The product by the BLIS library, for processors that none of the library's own kernels supports. */
#include <blis.h>
#include <stddef.h>
#include <string.h>

#include "kernels/variants.h"

/* rntm_t is laid out differently in every minor version of BLIS, and its setters are inline functions: code compiled
 * here works with only one version. The header does not say which. */
#ifndef TGR_BLIS_VERSION
#define TGR_BLIS_VERSION "0.9.0"
_Static_assert(offsetof(rntm_t, auto_factor) == 0 && offsetof(rntm_t, pba) > offsetof(rntm_t, sba_pool),
               "this is not the header of BLIS 0.9.0: define TGR_BLIS_VERSION");
#endif

int tgr_usable_blis(void) {
    return strcmp(bli_info_get_version_str(), TGR_BLIS_VERSION) == 0;
}

/* Sets what C holds before the sum: old C, the bias or both. Returns the factor for it. */
static float start(const tgr_gemm *product) {
    if (!product->bias) return product->accumulate ? 1.0f : 0.0f;
    for (int64_t i = 0; i < product->m; i++) {
        float *c = product->c + i * product->c_row;
        for (int64_t j = 0; j < product->n; j++)
            c[j] = product->accumulate ? c[j] + product->bias[j] : product->bias[j];
    }
    return 1.0f;
}

/* BLIS aborts the process if rows or columns overlap. */
static int accepts(int64_t rows, int64_t columns, int64_t row, int64_t column) {
    if (row == 1) return column >= rows;
    if (column == 1) return row >= columns;
    return row < column ? row > 0 && column >= rows * row : column > 0 && row >= columns * column;
}

void tgr_gemm_blis(const tgr_gemm *product, float *scratch) {
    tgr_gemm p = *product;
    if (p.m == 0 || p.n == 0) return;
    if (p.m == 1) p.a_row = p.k * p.a_col, p.c_row = p.n; /* the stride of a single row or column is never used */
    if (p.n == 1) p.b_col = p.k * p.b_row;
    if (p.k == 1) p.a_col = p.m * p.a_row, p.b_row = p.n * p.b_col;
    if (p.k == 0 || !accepts(p.m, p.k, p.a_row, p.a_col) || !accepts(p.k, p.n, p.b_row, p.b_col)) {
        tgr_gemm_portable(product, scratch);
        return;
    }
    rntm_t runtime = BLIS_RNTM_INITIALIZER;
    bli_rntm_set_num_threads(1, &runtime);
    bli_rntm_disable_l3_sup(&runtime); /* kernels for small matrices sum over k in a different order */
    float one = 1.0f, beta = start(&p);
    bli_sgemm_ex(BLIS_NO_TRANSPOSE, BLIS_NO_TRANSPOSE, p.m, p.n, p.k, &one, (float *)p.a, p.a_row, p.a_col,
                 (float *)p.b, p.b_row, p.b_col, &beta, p.c, p.c_row, 1, NULL, &runtime);
    tgr_gemm_finish(product, 0, p.m, 0, p.n);
}

/* SPDX-License-Identifier: MIT */
/* Matrix products. One product is C = A·B (+ bias) or C += A·B; a job is a list of products, cut into tiles to suit the
 * number of threads. Every element of C sums over k in the same order wherever it is in C and however C is cut, so that
 * results depend neither on the threads nor on which other rows are in the batch. */
#ifndef TGR_KERNELS_GEMM_H
#define TGR_KERNELS_GEMM_H

#include <stddef.h>
#include <stdint.h>

#include "tgrmoe/options.h"

struct tgr_compute;
struct tgr_kernels;

/* What happens to elements of C once they are complete, while they are still in the cache. */
typedef enum tgr_epilogue {
    TGR_EPILOGUE_NONE,
    TGR_EPILOGUE_GELU,          /* after = gelu(C); after may be C itself */
    TGR_EPILOGUE_GELU_BACKWARD, /* C = C·gelu'(before), and after = gelu(before); after may be before itself */
} tgr_epilogue;

/* A is [m, k] and B is [k, n] with any strides (a transpose is a swap of strides); rows of C are contiguous. */
typedef struct tgr_gemm {
    int64_t m, n, k;
    const float *a;
    int64_t a_row, a_col; /* A[i][l] = a[i·a_row + l·a_col] */
    const float *b;
    int64_t b_row, b_col; /* B[l][j] = b[l·b_row + j·b_col] */
    float *c;
    int64_t c_row;     /* C[i][j] = c[i·c_row + j] */
    const float *bias; /* [n], added to each row; NULL for none */
    int accumulate;    /* C += instead of C = */
    tgr_precision precision;
    tgr_epilogue epilogue;
    const float *before; /* [m, n] for the epilogue; rows are c_row apart, as are those of `after` */
    float *after;
    const struct tgr_kernels *kernels; /* whose row kernels the epilogue uses; set by tgr_gemm_run */
} tgr_gemm;

/* The epilogue of some rows and columns of C. A variant calls it once for each completed part; parts start at multiples
 * of 16 columns. */
void tgr_gemm_finish(const tgr_gemm *product, int64_t row, int64_t rows, int64_t column, int64_t columns);

/* Scratch that a serial product needs, in floats. */
#define TGR_GEMM_SCRATCH (512 * 1024)

/* Runs one product on the calling thread, by the variant that suits its shape. */
void tgr_gemm_serial(const struct tgr_kernels *kernels, const tgr_gemm *product, float *scratch);

/* Runs all products, in parallel over tiles of all of them. The C matrices of one call must not overlap. m, n or k of
 * zero are legal (k = 0 gives zero or bias). */
void tgr_gemm_run(const struct tgr_compute *compute, const tgr_gemm *products, int64_t count);

#endif

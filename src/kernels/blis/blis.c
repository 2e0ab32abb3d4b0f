/* SPDX-License-Identifier: MIT */
/* Kernels for any processor: matrix products by BLIS, row kernels for the instructions that every processor has. */
#include "kernels/variants.h"
#include "kernels/vector/rows.h"

const tgr_kernels tgr_kernels_blis = {
    .name = "blis", .usable = tgr_usable_blis, .gemm = tgr_gemm_blis, .gemm_narrow = tgr_gemm_blis, VECTOR_KERNELS};

/* SPDX-License-Identifier: MIT */
/* Kernels for x86 processors with AVX2 and FMA. Compiled with flags for these. */
#include "kernels/avx2/isa.h"

#include "kernels/variants.h"
#include "kernels/vector/rows.h"

#if defined(__x86_64__)
const tgr_kernels tgr_kernels_avx2 = {
    .name = "avx2", .usable = tgr_usable_avx2, .gemm = tgr_gemm_avx2, .gemm_narrow = tgr_gemm_avx2, VECTOR_KERNELS};
#endif

/* SPDX-License-Identifier: MIT */
/* Kernels for x86 processors with AVX-512 F, VL, DQ and BW. Compiled with flags for these. */
#include "kernels/gemm_variants.h"
#include "kernels/vector.h"

#if defined(__x86_64__)
const tgr_kernels tgr_kernels_avx512 = {
    .name = "avx512", .usable = tgr_usable_avx512, .gemm = tgr_gemm_avx512, VECTOR_KERNELS};
#endif

/* SPDX-License-Identifier: MIT */
/* Kernels for x86 processors with AVX-512 F, VL, DQ and BW, without and with AMX. Compiled with flags for AVX-512. */
#include "kernels/avx512/isa.h"

#include "kernels/variants.h"
#include "kernels/vector/rows.h"

#if defined(__x86_64__)
const tgr_kernels tgr_kernels_avx512 = {.name = "avx512",
                                        .usable = tgr_usable_avx512,
                                        .gemm = tgr_gemm_avx512,
                                        .gemm_narrow = tgr_gemm_avx512,
                                        .gemm_bfloat16 = tgr_gemm_avx512_bfloat16,
                                        .bfloat16_usable = tgr_usable_avx512_bfloat16,
                                        VECTOR_KERNELS};

const tgr_kernels tgr_kernels_amx = {.name = "amx",
                                     .usable = tgr_usable_amx,
                                     .gemm = tgr_gemm_amx,
                                     .gemm_narrow = tgr_gemm_avx512,
                                     .gemm_bfloat16 = tgr_gemm_amx_bfloat16,
                                     .bfloat16_usable = tgr_usable_amx,
                                     VECTOR_KERNELS};
#endif

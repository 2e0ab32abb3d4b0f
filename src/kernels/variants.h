/* SPDX-License-Identifier: MIT */
/* One serial matrix product for each kind of processor, and whether this machine can run it: for the rows of
 * tgr_kernels. */
#ifndef TGR_KERNELS_VARIANTS_H
#define TGR_KERNELS_VARIANTS_H

#include "kernels/gemm.h"

void tgr_gemm_portable(const tgr_gemm *product, float *scratch);
void tgr_gemm_blis(const tgr_gemm *product, float *scratch);

int tgr_usable_portable(void);
int tgr_usable_blis(void); /* whether the loaded BLIS is the version that this library was built with */

#if defined(__x86_64__)
void tgr_gemm_avx2(const tgr_gemm *product, float *scratch);
void tgr_gemm_avx512(const tgr_gemm *product, float *scratch);
void tgr_gemm_amx(const tgr_gemm *product, float *scratch);
void tgr_gemm_amx_bfloat16(const tgr_gemm *product, float *scratch);
void tgr_gemm_avx512_bfloat16(const tgr_gemm *product, float *scratch);

int tgr_usable_avx2(void);            /* AVX2 and FMA */
int tgr_usable_avx512(void);          /* AVX-512 F, VL, DQ and BW */
int tgr_usable_avx512_bfloat16(void); /* and AVX512_BF16 */
int tgr_usable_amx(void);             /* AMX tiles and bfloat16 as well as AVX-512, and permission from the system */
#endif

#endif

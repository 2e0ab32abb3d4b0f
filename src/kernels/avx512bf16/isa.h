/* SPDX-License-Identifier: MIT */
/* As avx512/isa.h. */
#ifndef TGR_KERNELS_AVX512BF16_ISA_H
#define TGR_KERNELS_AVX512BF16_ISA_H

#include "kernels/avx512/isa.h"

#if defined(__x86_64__) && !defined(__AVX512BF16__)
#error "a file of src/kernels/avx512bf16 was compiled without the flags ISA_avx512bf16 of src/kernels/isa.mk"
#endif

#endif

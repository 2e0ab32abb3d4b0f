/* SPDX-License-Identifier: MIT */
/* Included first by every file of this folder: fails unless the Makefile compiles it for the instructions that the
 * folder is named after. Otherwise the mistake would go unnoticed, and the kernels would be slow. */
#ifndef TGR_KERNELS_AVX2_ISA_H
#define TGR_KERNELS_AVX2_ISA_H

#if defined(__x86_64__) && !(defined(__AVX2__) && defined(__FMA__))
#error "a file of src/kernels/avx2 was compiled without the flags ISA_avx2 of src/kernels/isa.mk"
#endif

#endif

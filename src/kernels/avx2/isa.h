/* SPDX-License-Identifier: MIT */
/* Included first by every file of this folder: the Makefile must have compiled it for the instructions that the
 * folder's name promises. Nothing else would tell; the kernels would only be slow. */
#ifndef TGR_KERNELS_AVX2_ISA_H
#define TGR_KERNELS_AVX2_ISA_H

#if defined(__x86_64__) && !(defined(__AVX2__) && defined(__FMA__))
#error "a file of src/kernels/avx2 was compiled without the flags ISA_avx2 of src/kernels/isa.mk"
#endif

#endif

/* SPDX-License-Identifier: MIT */
/* Included first by every file of this folder: fails unless the Makefile compiles it for the instructions that the
 * folder is named after. Otherwise the mistake would go unnoticed, and the kernels would be slow. */
#ifndef TGR_KERNELS_AVX512_ISA_H
#define TGR_KERNELS_AVX512_ISA_H

#if defined(__x86_64__) && !(defined(__AVX2__) && defined(__FMA__) && defined(__AVX512F__) && defined(__AVX512VL__) && \
                             defined(__AVX512DQ__) && defined(__AVX512BW__))
#error "a file of src/kernels/avx512 was compiled without the flags ISA_avx512 of src/kernels/isa.mk"
#endif

#endif

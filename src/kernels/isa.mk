# SPDX-License-Identifier: MIT
# Kernels for one kind of processor stand in files of their own; no other file is compiled for it. (A % stands for one
# character at least: %avx512.o alone would miss avx512.o.) Included where objects of src/ are built.
ifneq ($(findstring x86_64,$(shell $(CC) -print-multiarch 2>/dev/null)),)
AVX2   := -mavx2 -mfma
AVX512 := $(AVX2) -mavx512f -mavx512vl -mavx512dq -mavx512bw
%/avx2.o %_avx2.o:               ISA := $(AVX2)
%/avx512.o %_avx512.o:           ISA := $(AVX512) -mprefer-vector-width=512
%/gemm_pairs.o %/pair_pack.o:    ISA := $(AVX512)
%/gemm_avx512_bfloat16.o:        ISA := $(AVX512) -mavx512bf16
%/gemm_amx.o:                    ISA := $(AVX512) -mamx-tile -mamx-bf16
endif

# SPDX-License-Identifier: MIT
# ISA_<folder>: the instructions that the files of src/kernels/<folder>/, and no others, are compiled for. Included
# wherever objects of src/ are built; the rule uses $(call isa_of,<source>).
ifneq ($(filter x86_64-%,$(shell $(CC) -dumpmachine 2>/dev/null)),)
ISA_AVX512     := -mavx2 -mfma -mavx512f -mavx512vl -mavx512dq -mavx512bw
ISA_avx2       := -mavx2 -mfma
ISA_avx512     := $(ISA_AVX512) -mprefer-vector-width=512
ISA_avx512bf16 := $(ISA_AVX512) -mavx512bf16
ISA_amx        := $(ISA_AVX512) -mamx-tile -mamx-bf16
endif
isa_of = $(ISA_$(notdir $(patsubst %/,%,$(dir $(1)))))

/* SPDX-License-Identifier: MIT */
/* As avx512/isa.h. Older clangs call the macros otherwise. */
#ifndef TGR_KERNELS_AMX_ISA_H
#define TGR_KERNELS_AMX_ISA_H

#include "kernels/avx512/isa.h"

#if defined(__x86_64__) && !(defined(__AMX_TILE__) && defined(__AMX_BF16__)) && \
    !(defined(__AMXTILE__) && defined(__AMXBF16__))
#error "a file of src/kernels/amx was compiled without the flags ISA_amx of src/kernels/isa.mk"
#endif

#endif

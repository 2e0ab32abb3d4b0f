/* SPDX-License-Identifier: MIT */
/* Which kernels this machine can run. Called on any machine, so compiled for any. */
#include "kernels/variants.h"

#if defined(__x86_64__)
#include <cpuid.h>
#include <sys/syscall.h>
#include <unistd.h>
#endif

int tgr_usable_portable(void) {
    return 1;
}

#if defined(__x86_64__)
/* The compiler's tests include whether the operating system saves the registers. */
int tgr_usable_avx2(void) {
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
}

int tgr_usable_avx512(void) {
    return tgr_usable_avx2() && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl") &&
           __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512bw");
}

int tgr_usable_avx512_bfloat16(void) {
    enum { AVX512_BF16 = 1 << 5 };
    unsigned a, b, c, d;
    return tgr_usable_avx512() && __get_cpuid_count(7, 1, &a, &b, &c, &d) && (a & AVX512_BF16) != 0;
}

/* Linux grants a process the tile registers on request; a second request is harmless. */
int tgr_usable_amx(void) {
    enum { REQUEST_PERMISSION = 0x1023, TILE_DATA = 18 }; /* of the system call */
    enum { AMX_BF16 = 1 << 22, AMX_TILE = 1 << 24 };      /* of CPUID */
    unsigned a, b, c, d;
    if (!tgr_usable_avx512() || !__get_cpuid_count(7, 0, &a, &b, &c, &d)) return 0;
    if ((d & AMX_BF16) == 0 || (d & AMX_TILE) == 0) return 0;
    return syscall(SYS_arch_prctl, REQUEST_PERMISSION, TILE_DATA) == 0;
}
#endif

/* SPDX-License-Identifier: MIT */
/* What the machine can do at best: the bounds that benchmarks are held against. Both use the widest vectors that the
 * processor has, whatever kernels the library was told to use. */
#ifndef TGR_BENCH_MACHINE_H
#define TGR_BENCH_MACHINE_H

#include <stdint.h>

/* Fused multiply-adds in registers, on `threads` threads at once, for about `seconds`: float32 GFLOP/s of the best
 * short burst. */
double machine_fma_peak(int threads, double seconds);
/* y += x over `bytes` bytes in all (both arrays together), one thread: GB/s read and written, a third of it written. */
double machine_bandwidth(int64_t bytes, double seconds);
/* Bytes of memory that this process holds now, and the most since it started, 0 where the system does not tell. */
int64_t machine_resident_bytes(void);
int64_t machine_resident_peak(void);

#endif

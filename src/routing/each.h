/* SPDX-License-Identifier: MIT */
/* Loops over tokens (or slots, or vectors), in parallel, and sums over them in double whose order does not depend on
 * the number of threads. */
#ifndef TGR_ROUTING_EACH_H
#define TGR_ROUTING_EACH_H

#include "base/context.h"

/* What is done for one of them; `job` is the caller's. */
typedef void (*tgr_each_fn)(const void *job, int64_t index);
/* The same for a sum [width], to which it adds its part. */
typedef void (*tgr_sum_fn)(const void *job, int64_t index, double *sum);

/* Calls fn for every index in [0, count). */
void tgr_each(const tgr_compute *compute, int64_t count, tgr_each_fn fn, const void *job);
/* sum [width] = Σ of what fn adds for every index in [0, count). `partial`: [tgr_each_blocks(count), width], the sums
 * of blocks, which are added in the order of the blocks. */
void tgr_sum_each(const tgr_compute *compute, int64_t count, tgr_sum_fn fn, const void *job, int64_t width,
                  double *partial, double *sum);
int64_t tgr_each_blocks(int64_t count);

#endif

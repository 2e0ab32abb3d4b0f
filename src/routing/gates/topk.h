/* SPDX-License-Identifier: MIT */
/* The K largest of a row. */
#ifndef TGR_ROUTING_GATES_TOPK_H
#define TGR_ROUTING_GATES_TOPK_H

#include <stdint.h>

/* The index of the largest of values [count] that comes after `previous`, or of the largest of all if that is -1.
 * Larger values come first, equal ones by index; NaN counts as minus infinity. At most count - 1 indices follow
 * another. */
int64_t tgr_next_largest(const float *values, int64_t count, int64_t previous);
/* The k ≤ count largest, largest first. */
void tgr_top_k(const float *values, int64_t count, int64_t k, int32_t *indices);

#endif

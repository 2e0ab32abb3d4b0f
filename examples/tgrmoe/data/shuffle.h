/* SPDX-License-Identifier: MIT */
/* The order of an epoch's images: a function of the seed and the epoch only, so that a resumed run has the same. */
#ifndef TOOL_DATA_SHUFFLE_H
#define TOOL_DATA_SHUFFLE_H

#include <stdint.h>

/* order [count], a permutation of 0 … count-1; count below 2^32. */
void shuffle(int64_t *order, int64_t count, uint64_t seed, int64_t epoch);

#endif

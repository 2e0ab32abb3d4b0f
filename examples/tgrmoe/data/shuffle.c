/* SPDX-License-Identifier: MIT */
/* Fisher and Yates' shuffle; its random numbers are SplitMix64 (Steele et al., OOPSLA 2014) of a counter. */
#include "data/shuffle.h"

static uint64_t mix(uint64_t x) {
    x += 0x9E3779B97F4A7C15U;
    x = (x ^ x >> 30) * 0xBF58476D1CE4E5B9U;
    x = (x ^ x >> 27) * 0x94D049BB133111EBU;
    return x ^ x >> 31;
}

void shuffle(int64_t *order, int64_t count, uint64_t seed, int64_t epoch) {
    const uint64_t key = mix(mix(seed) + (uint64_t)epoch);
    for (int64_t i = 0; i < count; i++) order[i] = i;
    for (int64_t i = count - 1; i > 0; i--) {
        /* The high half of a 32 x 32-bit product: uniform in 0 … i. */
        const uint64_t word = mix(key + (uint64_t)i) >> 32;
        const int64_t other = (int64_t)(word * ((uint64_t)i + 1) >> 32);
        const int64_t kept = order[i];
        order[i] = order[other];
        order[other] = kept;
    }
}

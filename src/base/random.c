/* SPDX-License-Identifier: MIT */
/* Philox 4×32-10 and the distributions drawn from it. */
#include "base/random.h"

#include <math.h>

#define TWO_PI 6.283185307179586476925286766559

void tgr_philox(uint64_t seed, const uint32_t counter[4], uint32_t out[4]) {
    uint32_t key0 = (uint32_t)seed, key1 = (uint32_t)(seed >> 32);
    uint32_t c0 = counter[0], c1 = counter[1], c2 = counter[2], c3 = counter[3];
    for (int round = 0; round < 10; round++) {
        uint64_t product0 = (uint64_t)0xD2511F53U * c0;
        uint64_t product1 = (uint64_t)0xCD9E8D57U * c2;
        c0 = (uint32_t)(product1 >> 32) ^ c1 ^ key0;
        c1 = (uint32_t)product1;
        c2 = (uint32_t)(product0 >> 32) ^ c3 ^ key1;
        c3 = (uint32_t)product0;
        key0 += 0x9E3779B9U;
        key1 += 0xBB67AE85U;
    }
    out[0] = c0;
    out[1] = c1;
    out[2] = c2;
    out[3] = c3;
}

static void block_of(const tgr_random *random, uint64_t index, uint32_t words[4]) {
    uint64_t block = index / 4;
    uint32_t counter[4] = {(uint32_t)block, (uint32_t)(block >> 32), random->place, random->step};
    tgr_philox(random->seed, counter, words);
}

static double uniform_of(uint32_t word) {
    return (word + 0.5) * 0x1p-32;
}

double tgr_random_uniform(const tgr_random *random, uint64_t index) {
    uint32_t words[4];
    block_of(random, index, words);
    return uniform_of(words[index % 4]);
}

double tgr_random_normal(const tgr_random *random, uint64_t index) {
    /* 2·index is even, so both uniforms are in one block. */
    uint64_t first = 2 * index;
    uint32_t words[4];
    block_of(random, first, words);
    double u0 = uniform_of(words[first % 4]), u1 = uniform_of(words[first % 4 + 1]);
    return sqrt(-2.0 * log(u0)) * cos(TWO_PI * u1);
}

double tgr_random_truncated(const tgr_random *random, uint64_t index, double deviation) {
    for (uint64_t attempt = 0; attempt < TGR_TRUNCATED_ATTEMPTS; attempt++) {
        double draw = deviation * tgr_random_normal(random, index + (attempt << 40));
        if (fabs(draw) <= 2.0) return draw;
    }
    return 4.0 * tgr_random_uniform(random, index) - 2.0;
}

/* SPDX-License-Identifier: MIT */
/* Philox 4×32-10 and the distributions drawn from it. Compiled without fused multiply-adds, which not every machine
 * has. */
#include "base/random.h"

#include <math.h>

#include "base/bits.h"

#define HALF_PI 1.5707963267948966
#define LN_2    0.6931471805599453

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

/* ln x for normal x, within 1e-13: x = 2^n·m with m from sqrt(1/2) to sqrt(2), ln m = 2·artanh((m - 1)/(m + 1)). */
static double natural_logarithm(double x) {
    const uint64_t one = UINT64_C(0x3ff0000000000000), root = UINT64_C(0x3fe6a09e667f3bcd); /* 1, sqrt(1/2) */
    uint64_t biased = (tgr_bits_of_double(x) + (one - root)) >> 52;
    /* 2^52 + biased, composed from bits: conversions of 64-bit integers are slow. */
    double n = tgr_double_of_bits(biased | UINT64_C(0x4330000000000000)) - (0x1p52 + 1023.0);
    double m = tgr_double_of_bits(tgr_bits_of_double(x) - (biased << 52) + one), s = (m - 1.0) / (m + 1.0),
           square = s * s;
    double sum = 1.0 / 17;
    sum = sum * square + 1.0 / 15;
    sum = sum * square + 1.0 / 13;
    sum = sum * square + 1.0 / 11;
    sum = sum * square + 1.0 / 9;
    sum = sum * square + 1.0 / 7;
    sum = sum * square + 1.0 / 5;
    sum = sum * square + 1.0 / 3;
    return n * LN_2 + 2.0 * (s + s * square * sum);
}

/* Taylor's series for |angle| <= π/4, within 1e-14. */
static double sine(double angle) {
    double square = angle * angle, sum = 1.0 / 6227020800;
    sum = sum * square - 1.0 / 39916800;
    sum = sum * square + 1.0 / 362880;
    sum = sum * square - 1.0 / 5040;
    sum = sum * square + 1.0 / 120;
    sum = sum * square - 1.0 / 6;
    return angle + angle * square * sum;
}

static double cosine(double angle) {
    double square = angle * angle, sum = -1.0 / 87178291200;
    sum = sum * square + 1.0 / 479001600;
    sum = sum * square - 1.0 / 3628800;
    sum = sum * square + 1.0 / 40320;
    sum = sum * square - 1.0 / 720;
    sum = sum * square + 1.0 / 24;
    return 1.0 - square * 0.5 + square * square * sum;
}

/* Replaces two uniforms by two normals. Without branches, so that compilers vectorise loops over it. */
static inline void box_muller(double *u0, double *u1) {
    const double round = 0x1.8p52; /* adding it leaves the nearest integer in the low bits */
    double radius = sqrt(-2.0 * natural_logarithm(*u0)), quarters = 4.0 * *u1;
    double shifted = quarters + round, angle = (quarters - (shifted - round)) * HALF_PI;
    uint64_t quadrant = tgr_bits_of_double(shifted), turned = 0 - (quadrant & 1);
    uint64_t c = tgr_bits_of_double(cosine(angle)), s = tgr_bits_of_double(sine(angle)), swap = (c ^ s) & turned;
    *u0 = radius * tgr_double_of_bits(c ^ swap ^ ((quadrant + 1) & 2) << 62);
    *u1 = radius * tgr_double_of_bits(s ^ swap ^ (quadrant & 2) << 62);
}

enum { BATCH_PAIRS = 16, BATCH = 2 * BATCH_PAIRS };

/* Normals in an even number of pairs, starting with block number `block`. */
static void draw_pairs(const tgr_random *random, uint64_t block, int pairs, double *even, double *odd) {
    TGR_ASSERT(pairs % 2 == 0 && pairs <= BATCH_PAIRS);
    for (int pair = 0; pair < pairs; pair += 2) {
        uint32_t words[4];
        block_of(random, 4 * (block + (uint64_t)pair / 2), words);
        even[pair] = uniform_of(words[0]);
        odd[pair] = uniform_of(words[1]);
        even[pair + 1] = uniform_of(words[2]);
        odd[pair + 1] = uniform_of(words[3]);
    }
    for (int pair = 0; pair < pairs; pair++) box_muller(even + pair, odd + pair);
}

double tgr_random_normal(const tgr_random *random, uint64_t index) {
    uint32_t words[4];
    block_of(random, index, words);
    const uint32_t *pair = words + (index % 4 & 2);
    double even = uniform_of(pair[0]), odd = uniform_of(pair[1]);
    box_muller(&even, &odd);
    return index % 2 == 0 ? even : odd;
}

void tgr_random_normals(const tgr_random *random, uint64_t first, int64_t count, double *normals) {
    double even[BATCH_PAIRS] = {0}, odd[BATCH_PAIRS] = {0};
    while (count > 0 && first % 4 != 0) {
        *normals++ = tgr_random_normal(random, first++);
        count--;
    }
    for (; count > 0; first += BATCH, normals += BATCH, count -= BATCH) {
        int some = count < BATCH ? (int)count : BATCH;
        draw_pairs(random, first / 4, (some + 3) / 4 * 2, even, odd);
        for (int i = 0; i < some; i++) normals[i] = i % 2 == 0 ? even[i / 2] : odd[i / 2];
    }
}

double tgr_random_truncated(const tgr_random *random, uint64_t index, double deviation) {
    for (uint64_t attempt = 0; attempt < TGR_TRUNCATED_ATTEMPTS; attempt++) {
        double draw = deviation * tgr_random_normal(random, index + (attempt << 40));
        if (fabs(draw) <= 2.0) return draw;
    }
    return 4.0 * tgr_random_uniform(random, index) - 2.0;
}

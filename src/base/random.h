/* SPDX-License-Identifier: MIT */
/* Counter-based random numbers (Philox 4×32-10; Salmon et al., SC 2011): a number is a function of the seed, the step,
 * the place of use and an index, so it depends neither on threads nor on resuming.
 *
 * Key: seed (low word, high word). Counter: word 0 = index / 4 (low 32 bits), word 1 = high bits of index / 4, word 2 =
 * place, word 3 = step. A block of four words serves the indices 4i … 4i+3. */
#ifndef TGR_BASE_RANDOM_H
#define TGR_BASE_RANDOM_H

#include <stdint.h>

#include "base/assert.h"

typedef struct tgr_random {
    uint64_t seed;
    uint32_t step;  /* training step; micro-batches of a step differ in `place` */
    uint32_t place; /* who draws: see tgr_random_place */
} tgr_random;

/* Who draws. The layer and the micro-batch are mixed in by tgr_random_place. */
enum {
    TGR_PLACE_INIT = 1,
    TGR_PLACE_ROUTER_NOISE = 2,
    TGR_PLACE_DROP_PATH = 3,
    TGR_PLACE_HOST = 4,
    TGR_PLACE_UPCYCLE = 5
};

/* place = kind | layer << 4 | micro << 16: 16 kinds, 4096 layers, 65536 micro-batches. */
static inline uint32_t tgr_random_place(uint32_t kind, uint32_t layer, uint32_t micro) {
    TGR_ASSERT(kind < 16 && layer < 4096);
    return kind | layer << 4 | micro << 16;
}

/* The four words of one block. */
void tgr_philox(uint64_t seed, const uint32_t counter[4], uint32_t out[4]);
/* Uniform in (0, 1): (word + 0.5) / 2^32, as a double. */
double tgr_random_uniform(const tgr_random *random, uint64_t index);
/* Standard normal, by Box-Muller from the uniforms u0 and u1 at the even and the odd index of a pair: sqrt(-2 ln u0) ·
 * cos(2π u1) at the even index, · sin(2π u1) at the odd one. Logarithm, sine and cosine are computed here and not by
 * the system, so that machines agree bit for bit. */
double tgr_random_normal(const tgr_random *random, uint64_t index);
/* Those at first, first + 1, …, first + count - 1, in a fraction of the time. */
void tgr_random_normals(const tgr_random *random, uint64_t first, int64_t count, double *normals);
/* Normal(0, deviation²) truncated at ±2 (absolute, as timm's trunc_normal_), by redrawing at index + (attempt << 40).
 * If the deviation is so large that TGR_TRUNCATED_ATTEMPTS draws fail, a uniform in (-2, 2), the limit of such a
 * normal. */
#define TGR_TRUNCATED_ATTEMPTS 64
double tgr_random_truncated(const tgr_random *random, uint64_t index, double deviation);

#endif

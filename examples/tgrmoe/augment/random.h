/* SPDX-License-Identifier: MIT */
/* Random numbers for augmentation: a stream is a function of the seed, the epoch, an index and its purpose, so that
 * numbers depend neither on threads, nor on the order of work, nor on resuming (Philox 4x32-10; Salmon et al., SC
 * 2011). */
#ifndef TOOL_AUGMENT_RANDOM_H
#define TOOL_AUGMENT_RANDOM_H

#include <stdint.h>

/* Which image of which epoch; or, for mixing, which batch. */
typedef struct augment_key {
    uint64_t seed;
    int64_t epoch, index; /* from 0, below 2^32; the index is the image's place in its set, or the batch's number */
} augment_key;

typedef enum augment_purpose { AUGMENT_IMAGE = 1, AUGMENT_ERASE = 2, AUGMENT_MIX = 3 } augment_purpose;

/* A position in a stream; each draw advances it. */
typedef struct augment_random {
    uint32_t key[2], counter[4]; /* counter: block of the stream, purpose, index, epoch */
    uint32_t words[4];
    int left; /* of `words` */
} augment_random;

augment_random augment_random_start(augment_key key, augment_purpose purpose);
uint32_t augment_word(augment_random *random);
/* Uniform in (0, 1), with 53 bits. */
double augment_uniform(augment_random *random);
/* Uniform in (low, high). */
double augment_between(augment_random *random, double low, double high);
/* A uniform integer from low to high, inclusive. */
int augment_integer(augment_random *random, int low, int high);
/* Standard normal (Box and Muller). */
double augment_normal(augment_random *random);
/* Gamma with scale 1 (Marsaglia and Tsang, 2000); shape above 0. */
double augment_gamma(augment_random *random, double shape);
/* Beta(alpha, alpha): by Jöhnk (1964) up to 1, above that from two gammas. */
double augment_beta(augment_random *random, double alpha);

#endif

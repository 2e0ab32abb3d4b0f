/* SPDX-License-Identifier: MIT */
/* Philox 4x32-10 and the distributions that augmentation draws from. */
#include "augment/random.h"

#include <math.h>

static void philox(const augment_random *random, uint32_t out[4]) {
    uint32_t key0 = random->key[0], key1 = random->key[1];
    uint32_t c0 = random->counter[0], c1 = random->counter[1], c2 = random->counter[2], c3 = random->counter[3];
    for (int round = 0; round < 10; round++) {
        const uint64_t product0 = (uint64_t)0xD2511F53U * c0, product1 = (uint64_t)0xCD9E8D57U * c2;
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

augment_random augment_random_start(augment_key key, augment_purpose purpose) {
    return (augment_random){.key = {(uint32_t)key.seed, (uint32_t)(key.seed >> 32)},
                            .counter = {0, (uint32_t)purpose, (uint32_t)key.index, (uint32_t)key.epoch}};
}

uint32_t augment_word(augment_random *random) {
    if (random->left == 0) {
        philox(random, random->words);
        random->counter[0]++;
        random->left = 4;
    }
    return random->words[4 - random->left--];
}

double augment_uniform(augment_random *random) {
    const uint64_t high = augment_word(random), low = augment_word(random);
    return ((double)((high << 32 | low) >> 11) + 0.5) * 0x1p-53;
}

double augment_between(augment_random *random, double low, double high) {
    return low + (high - low) * augment_uniform(random);
}

int augment_integer(augment_random *random, int low, int high) {
    const uint64_t count = (uint64_t)(high - low) + 1;
    return low + (int)(augment_word(random) * count >> 32);
}

double augment_normal(augment_random *random) {
    const double radius = sqrt(-2 * log(augment_uniform(random)));
    return radius * cos(6.283185307179586476925286766559 * augment_uniform(random));
}

double augment_gamma(augment_random *random, double shape) {
    if (shape < 1) { /* Gamma(a) = Gamma(a + 1) · U^(1/a) */
        const double scale = pow(augment_uniform(random), 1 / shape);
        return scale * augment_gamma(random, shape + 1);
    }
    const double d = shape - 1.0 / 3, c = 1 / sqrt(9 * d);
    for (;;) {
        const double x = augment_normal(random), root = 1 + c * x;
        if (root <= 0) continue;
        const double v = root * root * root;
        if (log(augment_uniform(random)) < 0.5 * x * x + d - d * v + d * log(v)) return d * v;
    }
}

double augment_beta(augment_random *random, double alpha) {
    if (alpha > 1) {
        const double x = augment_gamma(random, alpha), y = augment_gamma(random, alpha);
        return x / (x + y);
    }
    for (;;) {
        const double u = log(augment_uniform(random)) / alpha, v = log(augment_uniform(random)) / alpha;
        if (exp(u) + exp(v) > 1) continue;
        return 1 / (1 + exp(v - u)); /* e^u / (e^u + e^v), which holds where both are too small to tell from 0 */
    }
}

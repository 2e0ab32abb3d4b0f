/* SPDX-License-Identifier: MIT */
/* For tests of kernels: arrays whose surroundings are watched, comparison with doubles, all kernels of this machine. */
#ifndef TGR_TEST_GUARDED_H
#define TGR_TEST_GUARDED_H

#include <math.h>
#include <stdlib.h>

#include "kernels_support.h"

#define GUARD_FLOATS 17 /* odd, so that the data is aligned to no vector */
#define GUARD_VALUE  -12345.0f

typedef struct guarded {
    float *data;
    int64_t count;
} guarded;

static inline guarded guarded_make(test_random *random, int64_t count, double low, double high) {
    float *memory = malloc((size_t)(count + 2 * GUARD_FLOATS) * sizeof(float));
    assert_non_null(memory);
    FOR(i, count + 2 * GUARD_FLOATS) memory[i] = GUARD_VALUE;
    test_random_fill(random, memory + GUARD_FLOATS, count, low, high);
    return (guarded){memory + GUARD_FLOATS, count};
}

/* Frees the array; fails when something was written next to it. */
static inline void guarded_free(guarded array) {
    FOR(i, GUARD_FLOATS) {
        assert_true(array.data[i - GUARD_FLOATS] == GUARD_VALUE);
        assert_true(array.data[array.count + i] == GUARD_VALUE);
    }
    free(array.data - GUARD_FLOATS);
}

/* Both NaN, the same infinity, or apart by at most absolute + relative·|expected|. */
static inline int same_value(double actual, double expected, double absolute, double relative) {
    if (isnan(expected)) return isnan(actual);
    if (isinf(expected)) return actual == expected;
    return fabs(actual - expected) <= absolute + relative * fabs(expected);
}

static inline void check_values(const char *name, const char *what, const float *actual, const double *expected,
                                int64_t count, double absolute, double relative) {
    FOR(i, count) {
        if (same_value(actual[i], expected[i], absolute, relative)) continue;
        fail_msg("%s %s[%lld] of %lld: %.9g, expected %.9g", name, what, (long long)i, (long long)count,
                 (double)actual[i], expected[i]);
    }
}

#endif

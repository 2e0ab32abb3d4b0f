/* SPDX-License-Identifier: MIT */
/* What all tests share: includes of cmocka, checks that say what was wrong, made-up data, an allocator that fails. */
#ifndef TGR_TEST_SUPPORT_H
#define TGR_TEST_SUPPORT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/status.h"
#include "tgrmoe/context.h"
#include "tgrmoe/options.h"
#include "tgrmoe/routing.h"

/* Checks. Each may be used on the test's main thread only, and ends the test when it does not hold.
 *
 * assert_status(TGR_OK, tgr_call(…)); on another status it prints both and tgr_last_error(). A failure's message must
 * begin with the public function that was called. */
#define assert_status(expected, call) test_check_status((expected), (call), #call, __FILE__, __LINE__)
/* Fails as `expected`, with a message that contains `text`. */
#define assert_fails(expected, text, call) test_check_failure((expected), (text), (call), #call, __FILE__, __LINE__)
/* |actual - expected| <= tolerance; NaN never is. */
#define assert_close(actual, expected, tolerance) \
    test_check_close((actual), (expected), (tolerance), #actual, __FILE__, __LINE__)
/* |actual[i] - expected[i]| <= absolute + relative·|expected[i]| for every i < count; reports the worst. */
#define assert_all_close(actual, expected, count, absolute, relative) \
    test_check_all_close((actual), (expected), (count), (absolute), (relative), #actual, __FILE__, __LINE__)
/* The same `bytes` bytes; reports the first that differs. */
#define assert_same_bytes(actual, expected, bytes) \
    test_check_same_bytes((actual), (expected), (bytes), #actual, __FILE__, __LINE__)

void test_check_status(tgr_status expected, tgr_status actual, const char *call, const char *file, int line);
void test_check_failure(tgr_status expected, const char *text, tgr_status actual, const char *call, const char *file,
                        int line);
void test_check_close(double actual, double expected, double tolerance, const char *what, const char *file, int line);
void test_check_all_close(const float *actual, const float *expected, int64_t count, double absolute, double relative,
                          const char *what, const char *file, int line);
void test_check_same_bytes(const void *actual, const void *expected, size_t bytes, const char *what, const char *file,
                           int line);

/* Made-up data: the same for the same seed, and not drawn with the library's own generator. */
typedef struct test_random {
    uint64_t state;
} test_random;
test_random test_random_start(uint64_t seed);
uint64_t test_random_word(test_random *random);
/* An integer in [low, high]. */
int64_t test_random_integer(test_random *random, int64_t low, int64_t high);
/* Uniform in [low, high). */
double test_random_uniform(test_random *random, double low, double high);
/* Fills `values` with uniforms in [low, high). */
void test_random_fill(test_random *random, float *values, int64_t count, double low, double high);
/* `count` new floats, uniform in [-1, 1), to be freed with free(). */
float *test_random_floats(test_random *random, int64_t count);

/* Loops: i from 0 to count - 1, and a scenario at 1 and at 2 threads. */
#define FOR(i, count)        for (int64_t i = 0; i < (count); i++)
#define FOR_THREADS(threads) for (int threads = 1; threads <= 2; threads++)
/* A new context, or the test fails. */
tgr_context *test_context(int threads, uint64_t seed);
/* A context of one thread with memory of this allocator. */
tgr_status test_context_create(tgr_context **out, const tgr_allocator *allocator);

/* Sets "key=value key=value …", with spaces or line ends between. */
tgr_status test_config_set_all(tgr_config *config, const char *options);
/* A new config with these options, or the test fails. */
tgr_config *test_config(tgr_context *context, const char *options);

/* What was decided, or the test fails. */
tgr_routing_view test_routing_view(const tgr_routing *routing);

/* An allocator that counts, fills new memory with rubbish, checks what comes back, and fails the allocation numbered
 * `fail_at` (from 0; negative: none):
 *
 *     for (int64_t n = 0;; n++) {
 *         test_allocator memory;
 *         test_allocator_start(&memory, n);
 *         tgr_status status = scenario(&memory.allocator);   // frees all it made, whether it failed or not
 *         if (test_allocator_done(&memory, status)) break;
 *     }
 *
 * or, the same loop around a function: test_each_allocation_failing(scenario, user). */
typedef struct test_allocator {
    tgr_allocator allocator; /* for tgr_context_options.allocator */
    int64_t fail_at;
    atomic_llong calls;      /* allocations asked for */
    atomic_llong live;       /* allocations not given back */
    atomic_llong live_bytes; /* bytes not given back */
    atomic_int damaged;      /* something was released twice, with a different size, or written past its end */
} test_allocator;
void test_allocator_start(test_allocator *memory, int64_t fail_at);
/* Asserts that nothing leaked or was damaged, and that a failed allocation came out as TGR_ERROR_MEMORY.
 * True when the scenario ran through without reaching the allocation that was to fail. */
int test_allocator_done(test_allocator *memory, tgr_status status);
/* Runs `scenario` with the 0th, 1st, 2nd … allocation failing until it succeeds; returns how many there were. */
int64_t test_each_allocation_failing(tgr_status (*scenario)(const tgr_allocator *allocator, void *user), void *user);

/* The path of a new empty file in $TMPDIR or /tmp; test_file_remove deletes the file and frees the path. */
char *test_file_create(void);
void test_file_remove(char *path);
/* The same with a folder, which is deleted with everything in it. */
char *test_folder_create(void);
void test_folder_remove(char *path);

#endif

/* SPDX-License-Identifier: MIT */
/* The shared test helpers. */
#include "support.h"

#include <glob.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

/* Appends a file to `text`, which has room for `size` bytes. */
static void append_file(char *text, size_t size, const char *path) {
    const size_t used = strlen(text);
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    text[used + fread(text + used, 1, size - used - 1, file)] = '\0';
    fclose(file);
}

/* Whether the public headers declare a function of that name that returns a status. */
static int is_exported(const char *name, size_t length) {
    static char headers[1 << 18]; /* all of them */
    char declaration[160];
    if (headers[0] == '\0') {
        glob_t found;
        assert_int_equal(glob("include/tgrmoe/*.h", 0, NULL, &found), 0); /* tests run where the Makefile is */
        for (size_t i = 0; i < found.gl_pathc; i++) append_file(headers, sizeof headers, found.gl_pathv[i]);
        assert_true(strlen(headers) < sizeof headers - 1);
        globfree(&found);
    }
    snprintf(declaration, sizeof declaration, "TGR_API tgr_status %.*s(", (int)length, name);
    return strstr(headers, declaration) != NULL;
}

/* Whether a function's name and a colon stand in `text`. */
static int names_function(const char *text) {
    for (const char *at = strstr(text, "tgr_"); at; at = strstr(at + 1, "tgr_"))
        if (strncmp(at + strspn(at, "abcdefghijklmnopqrstuvwxyz0123456789_"), ": ", 2) == 0) return 1;
    return 0;
}

/* Messages speak of the public function that was called, once. Calls of inner ones have nothing to say. */
static int speaks_of(const char *call, const char *message) {
    const size_t called = strcspn(call, "("), named = strcspn(message, ":");
    if (names_function(message + named)) return 0;
    if (is_exported(call, called)) return called == named && strncmp(call, message, named) == 0;
    return strncasecmp(call, "tgr_", 4) == 0 || is_exported(message, named);
}

void test_check_status(tgr_status expected, tgr_status actual, const char *call, const char *file, int line) {
    const char *message = tgr_last_error();
    if (actual != expected) {
        print_error("%s\n  gave %s instead of %s\n  last error: %s\n", call, tgr_status_name(actual),
                    tgr_status_name(expected), message);
        _fail(file, line);
    }
    if (actual == TGR_OK || speaks_of(call, message)) return;
    print_error("%s\n  fails with \"%s\"\n  which does not begin with the function that was called\n", call, message);
    _fail(file, line);
}

void test_check_failure(tgr_status expected, const char *text, tgr_status actual, const char *call, const char *file,
                        int line) {
    test_check_status(expected, actual, call, file, line);
    if (strstr(tgr_last_error(), text) != NULL) return;
    print_error("%s\n  fails with \"%s\"\n  which does not contain \"%s\"\n", call, tgr_last_error(), text);
    _fail(file, line);
}

void test_check_close(double actual, double expected, double tolerance, const char *what, const char *file, int line) {
    if (fabs(actual - expected) <= tolerance) return;
    print_error("%s is %.9g; %.9g ± %.3g was expected\n", what, actual, expected, tolerance);
    _fail(file, line);
}

void test_check_all_close(const float *actual, const float *expected, int64_t count, double absolute, double relative,
                          const char *what, const char *file, int line) {
    int64_t wrong = 0, worst = -1;
    double worst_excess = 0;
    FOR(i, count) {
        double difference = fabs((double)actual[i] - expected[i]);
        double excess = difference - (absolute + relative * fabs((double)expected[i]));
        if (excess <= 0) continue;
        wrong++;
        if (isnan(excess)) excess = INFINITY;
        if (excess > worst_excess) {
            worst = i;
            worst_excess = excess;
        }
    }
    if (wrong == 0) return;
    print_error("%s: %" PRId64 " of %" PRId64 " differ; worst at [%" PRId64 "]: %.9g, %.9g was expected\n", what, wrong,
                count, worst, (double)actual[worst], (double)expected[worst]);
    _fail(file, line);
}

void test_check_same_bytes(const void *actual, const void *expected, size_t bytes, const char *what, const char *file,
                           int line) {
    const unsigned char *a = actual, *b = expected;
    for (size_t i = 0; i < bytes; i++) {
        if (a[i] == b[i]) continue;
        print_error("%s: byte %zu of %zu is 0x%02x; 0x%02x was expected\n", what, i, bytes, a[i], b[i]);
        _fail(file, line);
    }
}

test_random test_random_start(uint64_t seed) {
    return (test_random){seed};
}

/* SplitMix64 (Steele, Lea and Flood 2014). */
uint64_t test_random_word(test_random *random) {
    uint64_t z = random->state += 0x9E3779B97F4A7C15u;
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9u;
    z = (z ^ z >> 27) * 0x94D049BB133111EBu;
    return z ^ z >> 31;
}

int64_t test_random_integer(test_random *random, int64_t low, int64_t high) {
    return low + (int64_t)(test_random_word(random) % (uint64_t)(high - low + 1));
}

double test_random_uniform(test_random *random, double low, double high) {
    return low + (high - low) * ((double)(test_random_word(random) >> 11) * 0x1p-53);
}

void test_random_fill(test_random *random, float *values, int64_t count, double low, double high) {
    FOR(i, count) values[i] = (float)test_random_uniform(random, low, high);
}

float *test_random_floats(test_random *random, int64_t count) {
    float *values = malloc((size_t)(count > 0 ? count : 1) * sizeof *values);
    assert_non_null(values);
    test_random_fill(random, values, count, -1, 1);
    return values;
}

tgr_context *test_context(int threads, uint64_t seed) {
    tgr_context *context = NULL;
    tgr_context_options options = {.struct_size = sizeof options, .threads = threads, .seed = seed};
    assert_status(TGR_OK, tgr_context_create(&context, &options));
    return context;
}

tgr_routing_view test_routing_view(const tgr_routing *routing) {
    tgr_routing_view view = {.struct_size = sizeof view};
    assert_status(TGR_OK, tgr_routing_read(routing, &view));
    return view;
}

tgr_status test_context_create(tgr_context **out, const tgr_allocator *allocator) {
    tgr_context_options options = {.struct_size = sizeof options, .threads = 1, .allocator = allocator};
    return tgr_context_create(out, &options);
}

tgr_status test_config_set_all(tgr_config *config, const char *options) {
    while (*options != '\0') {
        char text[256], *equals;
        size_t length = strcspn(options, " \n");
        assert_true(length < sizeof text);
        memcpy(text, options, length);
        text[length] = '\0';
        equals = strchr(text, '=');
        assert_non_null(equals);
        *equals = '\0';
        TGR_TRY(tgr_config_set(config, text, equals + 1));
        options += length + strspn(options + length, " \n");
    }
    return TGR_OK;
}

tgr_config *test_config(tgr_context *context, const char *options) {
    tgr_config *config = NULL;
    assert_status(TGR_OK, tgr_config_create(&config, context));
    assert_status(TGR_OK, test_config_set_all(config, options));
    return config;
}

/* Before every piece: its size and a mark; after it: the mark again. */
typedef struct guard {
    size_t bytes;
    uint64_t mark;
} guard;
#define LIVE_MARK   UINT64_C(0x11fe11fe11fe11fe)
#define DEAD_MARK   UINT64_C(0xdeaddeaddeaddead)
#define GUARD_BYTES 64 /* keeps the piece aligned as asked */

static void *counted_allocate(void *user, size_t bytes, size_t alignment) {
    test_allocator *memory = user;
    if (atomic_fetch_add(&memory->calls, 1) == memory->fail_at) return NULL;
    if (alignment > GUARD_BYTES) return NULL;
    size_t rounded = (bytes + GUARD_BYTES - 1) / GUARD_BYTES * GUARD_BYTES;
    char *block = aligned_alloc(GUARD_BYTES, GUARD_BYTES + rounded + GUARD_BYTES);
    if (block == NULL) return NULL;
    guard head = {bytes, LIVE_MARK};
    char *piece = block + GUARD_BYTES;
    memcpy(block, &head, sizeof head);
    memset(piece, 0xA5, bytes);
    memcpy(piece + bytes, &head.mark, sizeof head.mark);
    atomic_fetch_add(&memory->live, 1);
    atomic_fetch_add(&memory->live_bytes, (long long)bytes);
    return piece;
}

static void counted_release(void *user, void *piece, size_t bytes) {
    test_allocator *memory = user;
    char *block = (char *)piece - GUARD_BYTES;
    guard head;
    uint64_t tail = 0;
    memcpy(&head, block, sizeof head);
    if (head.mark == LIVE_MARK) memcpy(&tail, (char *)piece + head.bytes, sizeof tail);
    if (head.mark != LIVE_MARK || head.bytes != bytes || tail != LIVE_MARK) {
        atomic_store(&memory->damaged, 1);
        return;
    }
    head.mark = DEAD_MARK;
    memcpy(block, &head, sizeof head);
    atomic_fetch_sub(&memory->live, 1);
    atomic_fetch_sub(&memory->live_bytes, (long long)bytes);
    free(block);
}

void test_allocator_start(test_allocator *memory, int64_t fail_at) {
    memset(memory, 0, sizeof *memory);
    memory->allocator = (tgr_allocator){sizeof(tgr_allocator), memory, counted_allocate, counted_release};
    memory->fail_at = fail_at;
}

int test_allocator_done(test_allocator *memory, tgr_status status) {
    int reached = memory->fail_at >= 0 && atomic_load(&memory->calls) > memory->fail_at;
    if (atomic_load(&memory->damaged) || atomic_load(&memory->live) != 0) {
        print_error("with allocation %" PRId64 " failing: %lld live, %lld bytes%s\n", memory->fail_at,
                    atomic_load(&memory->live), atomic_load(&memory->live_bytes),
                    atomic_load(&memory->damaged) ? ", memory damaged" : "");
        fail();
    }
    if (!reached) {
        assert_status(TGR_OK, status);
        return 1;
    }
    if (status == TGR_ERROR_MEMORY) return 0;
    print_error("allocation %" PRId64 " failed\n", memory->fail_at);
    assert_status(TGR_ERROR_MEMORY, status);
    return 0;
}

int64_t test_each_allocation_failing(tgr_status (*scenario)(const tgr_allocator *allocator, void *user), void *user) {
    for (int64_t n = 0;; n++) {
        test_allocator memory;
        test_allocator_start(&memory, n);
        if (test_allocator_done(&memory, scenario(&memory.allocator, user))) return n;
    }
}

/* For mkstemp or mkdtemp. */
static char *temporary_pattern(void) {
    const char *directory = getenv("TMPDIR");
    char *path = malloc(4096);
    assert_non_null(path);
    snprintf(path, 4096, "%s/tgrmoe-test-XXXXXX", directory != NULL && directory[0] != '\0' ? directory : "/tmp");
    return path;
}

char *test_file_create(void) {
    char *path = temporary_pattern();
    int file = mkstemp(path);
    assert_true(file >= 0);
    close(file);
    return path;
}

void test_file_remove(char *path) {
    if (path == NULL) return;
    remove(path);
    free(path);
}

char *test_folder_create(void) {
    char *path = temporary_pattern();
    assert_non_null(mkdtemp(path));
    return path;
}

void test_folder_remove(char *path) {
    char command[2 * 4096 + 64];
    if (path == NULL) return;
    snprintf(command, sizeof command, "chmod -R u+rwx '%s' && rm -r '%s'", path, path);
    assert_int_equal(system(command), 0);
    free(path);
}

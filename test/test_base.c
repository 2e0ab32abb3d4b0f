/* SPDX-License-Identifier: MIT */
/* Statuses, sized structs, counted memory and the context. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/context.h"
#include "base/memory.h"
#include "base/status.h"
#include "base/struct.h"
#include "kernels/gemm.h"
#include "support.h"

static void test_statuses(void **state) {
    (void)state;
    assert_string_equal(tgr_version(), "0.1.0");
    assert_string_equal(tgr_status_name(TGR_OK), "OK");
    assert_string_equal(tgr_status_name(TGR_ERROR_SHAPE), "ERROR_SHAPE");
    assert_string_equal(tgr_status_text(TGR_ERROR_SHAPE), "shapes do not match");
    assert_string_equal(tgr_status_name((tgr_status)12345), "UNKNOWN");
    assert_non_null(tgr_status_text((tgr_status)-1));
    for (int number = -1; number < 100; number++) assert_true(strlen(tgr_status_text((tgr_status)number)) > 0);
}

static void *last_error_of_new_thread(void *argument) {
    (void)argument;
    static char copy[64]; /* this thread's buffer ends with it */
    snprintf(copy, sizeof copy, "[%s]", tgr_last_error());
    tgr_fail_at("other", TGR_ERROR_FILE, "of the other thread");
    return copy;
}

static void test_last_error(void **state) {
    (void)state;
    assert_int_equal(tgr_fail_at("f", TGR_ERROR_RANGE, "x is %d", 7), TGR_ERROR_RANGE);
    assert_string_equal(tgr_last_error(), "f: x is 7");
    tgr_fail_at("g", TGR_ERROR_RANGE, "%s, again", tgr_last_error());
    assert_string_equal(tgr_last_error(), "g: f: x is 7, again");

    pthread_t thread;
    void *other = NULL;
    assert_int_equal(pthread_create(&thread, NULL, last_error_of_new_thread, NULL), 0);
    pthread_join(thread, &other);
    assert_string_equal(other, "[]");
    assert_string_equal(tgr_last_error(), "g: f: x is 7, again");

    char longer[2000];
    memset(longer, 'a', sizeof longer);
    longer[sizeof longer - 1] = '\0';
    tgr_fail_at("h", TGR_ERROR_RANGE, "%s", longer);
    assert_int_equal(strlen(tgr_last_error()), 511);
    tgr_fail_at(longer, TGR_ERROR_RANGE, "%s", longer);
    assert_int_equal(strlen(tgr_last_error()), 511);
}

typedef struct sized {
    size_t struct_size;
    size_t a, b; /* `b` came with a later release */
} sized;

/* A struct of a caller, with room for what a newer one may have. */
typedef union caller_struct {
    sized known;
    unsigned char bytes[8192];
} caller_struct;

static const size_t wrong_sizes[] = {0, 1, 8, 15, 17, 23, 25, 4097, 4104, (size_t)-1, (size_t)-8};

static void test_struct_read(void **state) {
    (void)state;
    caller_struct from = {.known = {0, 11, 22}};
    sized into = {9, 9, 9};
    const sized *thing = &from.known;
    for (size_t i = 0; i < sizeof wrong_sizes / sizeof *wrong_sizes; i++) {
        from.known.struct_size = wrong_sizes[i];
        assert_fails(TGR_ERROR_RANGE, "'thing' has struct_size", TGR_STRUCT_READ(&into, thing, a));
        assert_int_equal(into.b, 9);
    }
    from.known.struct_size = offsetof(sized, b); /* an older caller */
    assert_status(TGR_OK, TGR_STRUCT_READ(&into, thing, a));
    assert_int_equal(into.a, 11);
    assert_int_equal(into.b, 0);
    from.known.struct_size = sizeof(sized);
    assert_status(TGR_OK, TGR_STRUCT_READ(&into, thing, a));
    assert_int_equal(into.b, 22);
    from.known.struct_size = 4096; /* a newer caller that asks for nothing new */
    assert_status(TGR_OK, TGR_STRUCT_READ(&into, thing, a));
    from.bytes[4095] = 1;
    into.b = 9;
    assert_fails(TGR_ERROR_UNSUPPORTED, "byte 4095", TGR_STRUCT_READ(&into, thing, a));
    assert_int_equal(into.b, 9);
    thing = NULL;
    assert_fails(TGR_ERROR_ARGUMENT, "'thing' is NULL", TGR_STRUCT_READ(&into, thing, a));
}

static void test_struct_write(void **state) {
    (void)state;
    const sized from = {7, 11, 22};
    caller_struct to = {.known = {0, 9, 9}};
    sized *thing = &to.known;
    for (size_t i = 0; i < sizeof wrong_sizes / sizeof *wrong_sizes; i++) {
        to.known.struct_size = wrong_sizes[i];
        assert_fails(TGR_ERROR_RANGE, "'thing' has struct_size", TGR_STRUCT_WRITE(thing, &from, a));
        assert_int_equal(to.known.a, 9);
    }
    to.known.struct_size = offsetof(sized, b); /* an older caller */
    assert_status(TGR_OK, TGR_STRUCT_WRITE(thing, &from, a));
    assert_int_equal(to.known.a, 11);
    assert_int_equal(to.known.b, 9);
    memset(to.bytes, 0x5a, sizeof to);
    to.known.struct_size = 4096; /* a newer caller */
    assert_status(TGR_OK, TGR_STRUCT_WRITE(thing, &from, a));
    assert_int_equal(to.known.struct_size, 4096);
    assert_int_equal(to.known.b, 22);
    for (size_t i = sizeof(sized); i < sizeof to; i++) assert_int_equal(to.bytes[i], 0x5a);
    thing = NULL;
    assert_fails(TGR_ERROR_ARGUMENT, "'thing' is NULL", TGR_STRUCT_WRITE(thing, &from, a));
}

static void test_memory_is_counted(void **state) {
    (void)state;
    test_allocator memory;
    test_allocator_start(&memory, -1);
    tgr_context_options options = {.struct_size = sizeof options, .threads = 1, .allocator = &memory.allocator};
    tgr_context *context = NULL;
    assert_status(TGR_OK, tgr_context_create(&context, &options));
    uint64_t before, before_count, now, peak, count;
    before = tgr_context_bytes(context);
    before_count = tgr_context_allocation_count(context);

    /* Larger than what was freed while the context was made, so that the peak is ours. */
    const size_t large = 64 << 20;
    void *first, *second, *nothing = context;
    assert_status(TGR_OK, tgr_allocate(context, &first, large, 1));
    assert_status(TGR_OK, tgr_allocate(context, &second, 33, 3));
    assert_status(TGR_OK, tgr_allocate(context, &nothing, 0, 8));
    assert_null(nothing);
    for (size_t i = 0; i < 99; i++) assert_int_equal(((char *)second)[i], 0);
    assert_int_equal((uintptr_t)first % 64 + (uintptr_t)second % 64, 0);
    now = tgr_context_bytes(context);
    peak = tgr_context_peak_bytes(context);
    assert_int_equal(now, before + large + 99);
    assert_int_equal(peak, now);
    tgr_release(context, first, large, 1);
    tgr_release(context, second, 33, 3);
    tgr_release(context, NULL, 33, 3);
    now = tgr_context_bytes(context);
    peak = tgr_context_peak_bytes(context);
    count = tgr_context_allocation_count(context);
    assert_int_equal(now, before);
    assert_int_equal(peak, before + large + 99);
    assert_int_equal(count, before_count + 2);
    tgr_context_free(context);
    assert_true(test_allocator_done(&memory, TGR_OK));
}

static void test_sizes_that_overflow(void **state) {
    (void)state;
    tgr_context *context = test_context(1, 0);
    static const size_t sizes[][2] = {
        {SIZE_MAX, 2}, {SIZE_MAX / 2, 4}, {(size_t)1 << 32, (size_t)1 << 32}, {SIZE_MAX, 1}, {PTRDIFF_MAX, 1}};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        void *out = context;
        assert_status(TGR_ERROR_OVERFLOW, tgr_allocate(context, &out, sizes[i][0], sizes[i][1]));
        assert_null(out);
    }
    void *out = context;
    uint64_t before, after;
    before = tgr_context_peak_bytes(context);
    test_allocator memory; /* asking the C library for so much would end a run under a sanitizer */
    test_allocator_start(&memory, 0);
    tgr_allocator own = context->allocator;
    context->allocator = memory.allocator;
    assert_fails(TGR_ERROR_MEMORY, "bytes", tgr_allocate(context, &out, PTRDIFF_MAX / 4, 2));
    context->allocator = own;
    assert_null(out);
    after = tgr_context_peak_bytes(context);
    assert_int_equal(before, after);
    tgr_context_free(context);
}

static void *misaligned_allocate(void *user, size_t bytes, size_t alignment) {
    ++*(int *)user;
    char *memory = aligned_alloc(alignment, (bytes / alignment + 2) * alignment);
    return memory == NULL ? NULL : memory + 16;
}

static void misaligned_release(void *user, void *memory, size_t bytes) {
    (void)bytes;
    --*(int *)user;
    free((char *)memory - 16);
}

static void test_misaligned_memory_is_refused(void **state) {
    (void)state;
    int live = 0;
    tgr_allocator allocator = {sizeof allocator, &live, misaligned_allocate, misaligned_release};
    tgr_context_options options = {.struct_size = sizeof options, .threads = 1, .allocator = &allocator};
    tgr_context *context = NULL;
    assert_fails(TGR_ERROR_MEMORY, "aligned to 64", tgr_context_create(&context, &options));
    assert_null(context);
    assert_int_equal(live, 0);
}

static void test_arena(void **state) {
    (void)state;
    tgr_arena plan = {0};
    assert_null(tgr_arena_take(&plan, 3, 5, 4));
    assert_int_equal(plan.used, 64);
    assert_null(tgr_arena_take(&plan, 0, 5, 4));
    assert_int_equal(plan.used, 64);
    assert_null(tgr_arena_take(&plan, 1, 65, 1));
    assert_int_equal(plan.used, 192);
    assert_int_equal(plan.overflow, 0);

    _Alignas(64) char memory[192];
    tgr_arena arena = {.base = memory, .capacity = sizeof memory};
    assert_ptr_equal(tgr_arena_take(&arena, 3, 5, 4), memory);
    assert_ptr_equal(tgr_arena_take(&arena, 0, 5, 4), memory + 64);
    assert_ptr_equal(tgr_arena_take(&arena, 1, 65, 1), memory + 64);
    assert_int_equal(arena.overflow, 0);
    assert_null(tgr_arena_take(&arena, 1, 1, 1)); /* not planned */
    assert_int_equal(arena.overflow, 1);

    static const int64_t wrong[][2] = {{-1, 1},        {1, -1},      {-1, -1}, {INT64_MAX, 2}, {INT64_MAX / 2, 4},
                                       {INT64_MAX, 1}, {1L << 62, 1}};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        plan = (tgr_arena){0};
        assert_null(tgr_arena_floats(&plan, wrong[i][0], wrong[i][1]));
        assert_int_equal(plan.overflow, 1);
        assert_int_equal(plan.used, 0);
    }
    plan = (tgr_arena){.used = INT64_MAX - 63, .peak = INT64_MAX - 63};
    assert_null(tgr_arena_take(&plan, 1, 1, 1));
    assert_int_equal(plan.overflow, 1);
}

static void test_context_defaults(void **state) {
    (void)state;
    tgr_context *context = NULL;
    assert_status(TGR_OK, tgr_context_create(&context, NULL));
    uint64_t now = 0, count = 0;
    int threads = tgr_context_thread_count(context);
    const char *kernels = tgr_context_kernels(context);
    now = tgr_context_bytes(context);

    count = tgr_context_allocation_count(context);
    assert_true(threads >= 1);
    assert_true(strlen(kernels) > 0);
    assert_true(now >= (uint64_t)threads * TGR_GEMM_SCRATCH * sizeof(float));
    assert_true(count >= 1);
    for (int worker = 0; worker < threads; worker++)
        assert_int_equal((uintptr_t)context->compute.scratch[worker] % 64, 0);
    tgr_context_free(context);
    tgr_context_free(NULL);
}

static void test_context_bad_arguments(void **state) {
    (void)state;
    tgr_context *const untouched = (tgr_context *)state, *context = untouched;
    tgr_context_options options = {.struct_size = sizeof options, .threads = 1};
    assert_fails(TGR_ERROR_ARGUMENT, "'out'", tgr_context_create(NULL, &options));
    options.struct_size = 0;
    assert_fails(TGR_ERROR_RANGE, "'options' has struct_size 0", tgr_context_create(&context, &options));
    options.struct_size = 5000;
    assert_fails(TGR_ERROR_RANGE, "struct_size", tgr_context_create(&context, &options));
    options.struct_size = sizeof options;
    options.threads = 1025;
    assert_fails(TGR_ERROR_RANGE, "'threads' is 1025", tgr_context_create(&context, &options));
    options.threads = 1;

    test_allocator memory;
    test_allocator_start(&memory, -1);
    tgr_allocator bad = memory.allocator;
    options.allocator = &bad;
    bad.struct_size = 3;
    assert_fails(TGR_ERROR_RANGE, "allocator", tgr_context_create(&context, &options));
    bad = memory.allocator;
    bad.allocate = NULL;
    assert_fails(TGR_ERROR_ARGUMENT, "allocate", tgr_context_create(&context, &options));
    bad = memory.allocator;
    bad.release = NULL;
    assert_fails(TGR_ERROR_ARGUMENT, "release", tgr_context_create(&context, &options));
    assert_ptr_equal(context, untouched);

    assert_int_equal(tgr_context_thread_count(NULL), 0);
    assert_null(tgr_context_kernels(NULL));
    assert_int_equal(tgr_context_bytes(NULL), 0);
    assert_int_equal(tgr_context_peak_bytes(NULL), 0);
    assert_int_equal(tgr_context_allocation_count(NULL), 0);
}

/* A caller compiled with another version of the header. */
static void test_context_of_other_versions(void **state) {
    (void)state;
    tgr_context *context = NULL;
    tgr_context_options older = {.struct_size = offsetof(tgr_context_options, pool), .threads = 1};
    memset(&older.pool, 0xEE, sizeof older - offsetof(tgr_context_options, pool)); /* beyond what the caller gave */
    assert_status(TGR_OK, tgr_context_create(&context, &older));
    tgr_context_free(context);

    struct {
        tgr_context_options known;
        size_t later[4];
    } newer = {.known = {.struct_size = sizeof newer, .threads = 1}};
    assert_status(TGR_OK, tgr_context_create(&context, &newer.known));
    tgr_context_free(context);
    newer.later[2] = 1;
    context = NULL;
    assert_fails(TGR_ERROR_UNSUPPORTED, "'options'", tgr_context_create(&context, &newer.known));
    assert_null(context);
}

static void test_kernels_by_environment(void **state) {
    (void)state;
    char *before = getenv("TGRMOE_KERNELS");
    before = before != NULL ? strdup(before) : NULL;
    tgr_context *context = NULL;
    tgr_context_options options = {.struct_size = sizeof options, .threads = 1};
    setenv("TGRMOE_KERNELS", "abacus", 1);
    tgr_status wrong = tgr_context_create(&context, &options);
    setenv("TGRMOE_KERNELS", "portable", 1);
    tgr_status portable = tgr_context_create(&context, &options);
    if (before != NULL)
        setenv("TGRMOE_KERNELS", before, 1);
    else
        unsetenv("TGRMOE_KERNELS");
    free(before);

    assert_int_not_equal(wrong, TGR_OK);
    assert_non_null(strstr(tgr_last_error(), "abacus"));
    assert_status(TGR_OK, portable);
    const char *name = tgr_context_kernels(context);
    assert_string_equal(name, "portable");
    tgr_context_free(context);
}

static tgr_status make_and_grow(const tgr_allocator *allocator, void *user) {
    (void)user;
    tgr_context_options options = {.struct_size = sizeof options, .threads = 2, .allocator = allocator};
    tgr_context *context = NULL;
    tgr_status status = tgr_context_create(&context, &options);
    if (status != TGR_OK) return status;
    const int64_t before = context->compute.scratch_floats;
    status = tgr_compute_reserve(&context->compute, before + 1);
    assert_true(status == TGR_OK ? context->compute.scratch_floats > before
                                 : context->compute.scratch_floats == before);
    tgr_context_free(context);
    return status;
}

static void test_context_without_memory(void **state) {
    (void)state;
    assert_int_equal(test_each_allocation_failing(make_and_grow, NULL), 4);
}

/* Tasks write to their worker's scratch, wait, and read it again, while another thread makes it grow. */
typedef struct scratch_job {
    const tgr_compute *compute;
    atomic_int wrong;
    atomic_int *stop;
} scratch_job;

static void scratch_task(void *argument, int64_t task, int worker) {
    scratch_job *job = argument;
    float *scratch = job->compute->scratch[worker];
    int64_t last = job->compute->scratch_floats - 1;
    for (int i = 0; i < 100; i++) scratch[last - i] = (float)(task + i);
    nanosleep(&(struct timespec){.tv_nsec = 20000}, NULL);
    for (int i = 0; i < 100; i++)
        if (scratch[last - i] != (float)(task + i)) atomic_store(&job->wrong, 1);
}

static void *use_scratch(void *argument) {
    scratch_job *job = argument;
    while (!atomic_load(job->stop)) tgr_parallel(job->compute, 8, scratch_task, job);
    return NULL;
}

static void test_scratch_grows_between_jobs(void **state) {
    (void)state;
    FOR_THREADS(threads) {
        tgr_context *context = test_context(threads, 0);
        atomic_int stop = 0;
        scratch_job job = {.compute = &context->compute, .stop = &stop};
        pthread_t thread;
        assert_int_equal(pthread_create(&thread, NULL, use_scratch, &job), 0);
        tgr_status status = TGR_OK;
        for (int i = 1; i <= 20 && status == TGR_OK; i++)
            status = tgr_compute_reserve(&context->compute, TGR_GEMM_SCRATCH + 100 * i + 1);
        atomic_store(&stop, 1);
        pthread_join(thread, NULL);
        assert_status(TGR_OK, status);
        assert_int_equal(atomic_load(&job.wrong), 0);
        assert_true(context->compute.scratch_floats >= TGR_GEMM_SCRATCH + 2001);
        for (int worker = 0; worker < threads; worker++)
            assert_int_equal((uintptr_t)context->compute.scratch[worker] % 64, 0);
        assert_status(TGR_ERROR_OVERFLOW, tgr_compute_reserve(&context->compute, INT64_MAX));
        assert_status(TGR_ERROR_OVERFLOW, tgr_compute_reserve(&context->compute, INT64_MAX / 2 + 1));
        assert_status(TGR_OK, tgr_compute_reserve(&context->compute, 0));
        tgr_context_free(context);
    }
}

static void remember(void *user, const char *message) {
    snprintf(user, 64, "%s", message);
}

static void test_log(void **state) {
    (void)state;
    char heard[64] = "";
    tgr_context_options options = {.struct_size = sizeof options, .threads = 1, .log = remember, .log_user = heard};
    tgr_context *context = NULL;
    assert_status(TGR_OK, tgr_context_create(&context, &options));
    tgr_log(context, "%d of %s", 3, "five");
    assert_string_equal(heard, "3 of five");
    tgr_context_free(context);
    context = test_context(1, 0);
    tgr_log(context, "nobody hears %d", 1);
    tgr_context_free(context);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_statuses),
        cmocka_unit_test(test_last_error),
        cmocka_unit_test(test_struct_read),
        cmocka_unit_test(test_struct_write),
        cmocka_unit_test(test_memory_is_counted),
        cmocka_unit_test(test_sizes_that_overflow),
        cmocka_unit_test(test_misaligned_memory_is_refused),
        cmocka_unit_test(test_arena),
        cmocka_unit_test(test_context_defaults),
        cmocka_unit_test(test_context_bad_arguments),
        cmocka_unit_test(test_context_of_other_versions),
        cmocka_unit_test(test_kernels_by_environment),
        cmocka_unit_test(test_context_without_memory),
        cmocka_unit_test(test_scratch_grows_between_jobs),
        cmocka_unit_test(test_log),
    };
    return cmocka_run_group_tests_name("base", tests, NULL, NULL);
}

/* SPDX-License-Identifier: MIT */
/* A host that changes the floating-point mode: jobs run in the default one on every thread, and the host finds its own
 * again. */
#include <fenv.h>
#include <pthread.h>

#include "base/pool.h"
#include "training_support.h"
#if defined(__x86_64__)
#include <xmmintrin.h>
#endif

enum { THREADS = 4, TASKS = 64, STEPS = 4 };

/* What a host can do to a thread: rounding, and subnormal numbers taken for zero, read or written. */
static const struct {
    const char *name;
    int rounding, flush;
} modes[] = {
    {"default", FE_TONEAREST, 0},        {"upward", FE_UPWARD, 0},
    {"toward zero", FE_TOWARDZERO, 0},   {"flush", FE_TONEAREST, 1},
    {"downward, flush", FE_DOWNWARD, 1},
};
enum { MODES = sizeof modes / sizeof *modes };

static void set_mode(int mode) {
    assert_int_equal(fesetround(modes[mode].rounding), 0);
#if defined(__x86_64__)
    _mm_setcsr((_mm_getcsr() & ~0x8040u) | (modes[mode].flush ? 0x8040u : 0));
#endif
}

static volatile float one = 1, tiny = 1e-12f, small = 1e-30f, smaller = 1e-10f;

/* 1 for every property that is not the default's. */
static int rounds_otherwise(void) {
    return one + tiny != 1 || -one - tiny != -1 || one - tiny != 1;
}
static int flushes(void) {
    return small * smaller == 0;
}

static int is_in_mode(int mode) {
#if defined(__x86_64__)
    if (flushes() != modes[mode].flush) return 0;
#endif
    return fegetround() == modes[mode].rounding;
}

static void look(void *job, int64_t task, int worker) {
    atomic_int *wrong = job;
    (void)task, (void)worker;
    for (volatile int i = 0; i < 2000; i++) continue; /* so that all threads get some */
    if (rounds_otherwise() || flushes()) atomic_fetch_add(wrong, 1);
}

static int wrong_tasks(tgr_pool *pool) {
    atomic_int wrong = 0;
    tgr_pool_run(pool, TASKS, look, &wrong);
    tgr_pool_run(pool, 1, look, &wrong);
    return atomic_load(&wrong);
}

/* Threads are made in one mode and used in another. */
static void test_tasks_see_the_default(void **state) {
    (void)state;
    for (int made = 0; made < MODES; made++) {
        for (int threads = 1; threads <= THREADS; threads += THREADS - 1) {
            tgr_pool *pool = NULL;
            set_mode(made);
            assert_status(TGR_OK, tgr_pool_create(&pool, threads));
            for (int used = 0; used < MODES; used++) {
                set_mode(used);
                const int wrong = wrong_tasks(pool), kept = is_in_mode(used);
                set_mode(0);
                if (wrong || !kept) fail_msg("%s, then %s, %d threads", modes[made].name, modes[used].name, threads);
            }
            tgr_pool_free(pool);
        }
    }
}

/* Threads of the host's, each in a mode of its own, which it keeps. */
typedef struct host_share {
    int64_t tasks;
    tgr_task_fn fn;
    void *job;
    int worker, mode, kept;
} host_share;

static void *run_share(void *user) {
    host_share *share = user;
    set_mode(share->mode);
    for (int64_t task = share->worker; task < share->tasks; task += 2) share->fn(share->job, task, share->worker);
    share->kept = is_in_mode(share->mode);
    return NULL;
}

static void run_on_host(void *user, int64_t tasks, tgr_task_fn fn, void *job) {
    host_share shares[2];
    pthread_t threads[2];
    int *kept = user;
    for (int i = 0; i < 2; i++) {
        shares[i] = (host_share){tasks, fn, job, i, i + 1, 0};
        assert_int_equal(pthread_create(&threads[i], NULL, run_share, &shares[i]), 0);
    }
    for (int i = 0; i < 2; i++) {
        pthread_join(threads[i], NULL);
        *kept &= shares[i].kept;
    }
}

static void test_tasks_on_a_hosts_threads(void **state) {
    (void)state;
    int kept = 1;
    const tgr_executor executor = {.struct_size = sizeof executor, .user = &kept, .workers = 2, .run = run_on_host};
    tgr_pool *pool = NULL;
    assert_status(TGR_OK, tgr_pool_create_from_executor(&pool, &executor));
    assert_int_equal(wrong_tasks(pool), 0);
    assert_int_equal(kept, 1);
    tgr_pool_free(pool);
}

/* The weights after a short run in that mode, with threads made in the default; to be freed with free(). */
static float *run(const char *method, const char *more, int mode, int threads, size_t *bytes) {
    training t;
    tgr_context *context = test_context(threads, 7);
    set_mode(mode);
    tgr_status status = training_start(&t, context, method, more);
    for (int64_t i = 0; i < STEPS && status == TGR_OK; i++) status = train(&t, i);
    const int kept = is_in_mode(mode);
    set_mode(0);
    assert_status(TGR_OK, status);
    assert_int_equal(kept, 1);
    const tgr_parameters *parameters = test_model_parameters(t.model);
    *bytes = (size_t)parameters->floats * sizeof(float);
    float *values = malloc(*bytes);
    assert_non_null(values);
    memcpy(values, parameters->values, *bytes);
    training_end(&t);
    return values;
}

/* Whatever the mode, the number of threads decides nothing. */
static void check_method(const char *method, const char *more) {
    for (int mode = 0; mode < MODES; mode++) {
        size_t bytes;
        float *expected = run(method, more, mode, 1, &bytes);
        for (int repeat = 0; repeat < 2; repeat++) {
            float *values = run(method, more, mode, THREADS, &bytes);
            if (memcmp(values, expected, bytes) != 0) fail_msg("%s %s, mode %s", method, more, modes[mode].name);
            free(values);
        }
        free(expected);
    }
}

static void test_results_in_any_mode(void **state) {
    (void)state;
    each_method(check_method);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tasks_see_the_default),
        cmocka_unit_test(test_tasks_on_a_hosts_threads),
        cmocka_unit_test(test_results_in_any_mode),
    };
    return cmocka_run_group_tests_name("host_float_mode", tests, NULL, NULL);
}

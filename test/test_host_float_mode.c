/* SPDX-License-Identifier: MIT */
/* A host that changes the floating-point mode: the library computes in the default one on every thread, and the host
 * finds its own again. */
#include <fenv.h>
#include <pthread.h>

#include "base/pool.h"
#include "base/status.h"
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

static int flushing_works;

static void set_mode(int mode) {
    assert_int_equal(fesetround(modes[mode].rounding), 0);
#if defined(__x86_64__)
    _mm_setcsr((_mm_getcsr() & ~0x8040u) | (modes[mode].flush ? 0x8040u : 0));
#endif
}

/* Volatile, so that what is computed is computed then and there. */
static volatile float one = 1, tiny = 1e-12f, small = 1e-30f, smaller = 1e-10f;

static int rounds_otherwise(void) {
    volatile float above = one + tiny, below = one - tiny, beyond = -one - tiny;
    return above != 1 || below != 1 || beyond != -1;
}
static int flushes(void) {
    volatile float product = small * smaller;
    return product == 0;
}

/* Emulated processors round as they are told, but flush nothing. */
static int can_flush(void) {
    set_mode(3);
    const int can = flushes();
    set_mode(0);
    return can;
}

static int is_in_mode(int mode) {
    return fegetround() == modes[mode].rounding && (!modes[mode].flush || flushes() == flushing_works);
}

static void look(void *job, int64_t task, int worker) {
    atomic_int *wrong = job;
    (void)task, (void)worker;
    for (volatile int i = 0; i < 2000; i++) continue; /* so that all threads get some */
    if (rounds_otherwise() || flushes()) atomic_fetch_add(wrong, 1);
}

static int wrong_tasks(tgr_pool *pool) {
    TGR_ENTER;
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

static float images[STEPS][BATCH * PIXELS];
static int32_t labels[BATCH];

static tgr_status create(training *t, tgr_context *context, const char *method, const char *more) {
    char options[512];
    *t = (training){.context = context};
    snprintf(options, sizeof options, SIZES "drop_path=0.3 method=%s moe_blocks=1,2 experts=4 %s", method, more);
    tgr_status status = test_model_create(&t->model, context, options);
    if (status == TGR_OK) status = tgr_loss_create(&t->loss, t->model, NULL);
    if (status == TGR_OK)
        status = tgr_optimizer_create(&t->optimizer, tgr_model_config(t->model), tgr_model_parameters(t->model));
    return status;
}

static tgr_status step(training *t, int64_t index) {
    tgr_status status = tgr_model_forward(t->model, TGR_TRAIN, images[index], BATCH);
    if (status == TGR_OK) status = tgr_loss_compute(t->loss, labels, NULL);
    if (status == TGR_OK) status = tgr_loss_backward(t->loss);
    if (status == TGR_OK) status = tgr_optimizer_step(t->optimizer);
    return status;
}

/* The weights after a short run in that mode, with threads made in the default; to be freed with free(). */
static float *run(const char *method, const char *more, int mode, int threads, size_t *bytes) {
    training t;
    tgr_context *context = test_context(threads, 7);
    set_mode(mode);
    tgr_status status = create(&t, context, method, more);
    for (int64_t i = 0; i < STEPS && status == TGR_OK; i++) status = step(&t, i);
    const int kept = is_in_mode(mode);
    set_mode(0);
    assert_status(TGR_OK, status);
    assert_true(kept);
    const tgr_parameters *parameters = test_model_parameters(t.model);
    *bytes = (size_t)parameters->floats * sizeof(float);
    float *values = malloc(*bytes);
    assert_non_null(values);
    memcpy(values, parameters->values, *bytes);
    training_end(&t);
    return values;
}

/* The same bytes in any mode, at any number of threads: first weights, passes, losses, steps, options as texts. */
static void check_method(const char *method, const char *more) {
    size_t bytes;
    float *expected = run(method, more, 0, 1, &bytes);
    for (int mode = 0; mode < MODES; mode++) {
        for (int threads = 1; threads <= THREADS; threads += THREADS - 1) {
            float *values = run(method, more, mode, threads, &bytes);
            if (memcmp(values, expected, bytes) != 0)
                fail_msg("%s %s, mode %s, %d threads", method, more, modes[mode].name, threads);
            free(values);
        }
    }
    free(expected);
}

static void test_results_in_any_mode(void **state) {
    (void)state;
    test_random random = test_random_start(100);
    test_random_fill(&random, images[0], STEPS * BATCH * PIXELS, -1, 1);
    for (int i = 0; i < BATCH; i++) labels[i] = (int32_t)test_random_integer(&random, 0, CLASSES - 1);
    each_method(check_method);
}

/* The schedule on its own is a function of numbers, and the modes must not show in it either. */
static void test_schedule_in_any_mode(void **state) {
    (void)state;
    FOR(i, 20) {
        const double expected = tgr_schedule_cosine(i, 17, 3, 0.1, 0.003);
        for (int mode = 0; mode < MODES; mode++) {
            set_mode(mode);
            const double rate = tgr_schedule_cosine(i, 17, 3, 0.1, 0.003);
            set_mode(0);
            assert_same_bytes(&rate, &expected, sizeof rate);
        }
    }
}

/* Numbers of options, which the C library reads and writes by the mode. */
static void test_options_in_any_mode(void **state) {
    (void)state;
    static const char *const numbers[] = {"0.1", "0.9", "1.3e-07", "0.001", "0.3333"};
    tgr_context *context = test_context(1, 0);
    tgr_config *config = NULL;
    assert_status(TGR_OK, tgr_config_create(&config, context));
    for (int i = 0; i < 5; i++) {
        for (int mode = 0; mode < MODES; mode++) {
            char text[32];
            double value = -1;
            const double expected = strtod(numbers[i], NULL);
            set_mode(mode);
            tgr_status status = tgr_config_set(config, "lr", numbers[i]);
            if (status == TGR_OK) status = tgr_config_get(config, "lr", text, sizeof text);
            if (status == TGR_OK) status = tgr_config_get_f64(config, TGR_OPTION_LR, &value);
            set_mode(0);
            assert_status(TGR_OK, status);
            assert_string_equal(text, numbers[i]);
            assert_same_bytes(&value, &expected, sizeof value);
        }
    }
    tgr_config_free(config);
    tgr_context_free(context);
}

/* A callback of the host's sees the host's mode, may use the library, and may leave with another mode. */
static int look_from_callback(void *user, const tgr_section *section) {
    int *modes_seen = user;
    char text[32];
    tgr_context *context = test_context(1, 0);
    tgr_config *config = NULL;
    (void)section;
    modes_seen[0] = is_in_mode(1);
    assert_status(TGR_OK, tgr_config_create(&config, context));
    assert_status(TGR_OK, tgr_config_get(config, "lr", text, sizeof text));
    modes_seen[1] = is_in_mode(1);
    tgr_config_free(config);
    tgr_context_free(context);
    set_mode(2);
    return 1;
}

static void test_callbacks(void **state) {
    (void)state;
    training t;
    int modes_seen[2] = {0};
    char *path = test_file_create();
    assert_status(TGR_OK, training_start(&t, test_context(1, 7), "vmoe", ""));
    assert_status(TGR_OK, tgr_checkpoint_save(t.checkpoint, path));
    set_mode(1);
    const tgr_status status = tgr_checkpoint_list(t.context, path, look_from_callback, modes_seen);
    const int after = is_in_mode(2);
    set_mode(0);
    assert_status(TGR_OK, status);
    assert_true(modes_seen[0] && modes_seen[1] && after);
    training_end(&t);
    test_file_remove(path);
}

int main(void) {
    flushing_works = can_flush();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tasks_see_the_default), cmocka_unit_test(test_tasks_on_a_hosts_threads),
        cmocka_unit_test(test_results_in_any_mode),   cmocka_unit_test(test_schedule_in_any_mode),
        cmocka_unit_test(test_options_in_any_mode),   cmocka_unit_test(test_callbacks),
    };
    return cmocka_run_group_tests_name("host_float_mode", tests, NULL, NULL);
}

/* SPDX-License-Identifier: MIT */
/* The pool of threads: every task once, workers never shared, jobs in turns, clean failure. */
#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/pool.h"
#include "support.h"

#define MAX_TASKS   1000
#define MAX_WORKERS 8

/* A pthread_create of this program's own stands before the C library's: it fails on demand and counts who is alive. */
static atomic_int creations_left = -1; /* negative: no limit */
static atomic_int threads_alive;

typedef struct start {
    void *(*routine)(void *);
    void *argument;
} start;

static void *run_counted(void *argument) {
    start how = *(start *)argument;
    free(argument);
    void *result = how.routine(how.argument);
    atomic_fetch_sub(&threads_alive, 1);
    return result;
}

/* Where a sanitizer's own version stands in the program itself, it is the one to call. */
int __interceptor_pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*routine)(void *),
                                 void *argument) __attribute__((weak));

int pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*routine)(void *), void *argument) {
    int (*real)(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *) = __interceptor_pthread_create;
    if (real == NULL) {
        void *symbol = dlsym(RTLD_NEXT, "pthread_create");
        memcpy(&real, &symbol, sizeof real);
    }
    if (atomic_load(&creations_left) == 0) return EAGAIN;
    if (atomic_load(&creations_left) > 0) atomic_fetch_sub(&creations_left, 1);
    start *how = malloc(sizeof *how);
    if (how == NULL) return EAGAIN;
    *how = (start){routine, argument};
    atomic_fetch_add(&threads_alive, 1);
    int error = real(thread, attributes, run_counted, how);
    if (error != 0) {
        atomic_fetch_sub(&threads_alive, 1);
        free(how);
    }
    return error;
}

static void sleep_microseconds(long microseconds) {
    nanosleep(&(struct timespec){.tv_nsec = microseconds * 1000}, NULL);
}

/* A job that watches how it is run. Task bodies may be on any thread, so they note what is wrong instead of asserting.
 */
typedef struct watched_job {
    int workers;
    atomic_int *busy; /* [workers], shared by all jobs of a pool */
    atomic_int runs[MAX_TASKS];
    atomic_int wrong_worker, shared_worker;
} watched_job;

static void watched_task(void *argument, int64_t task, int worker) {
    watched_job *job = argument;
    if (worker < 0 || worker >= job->workers) {
        atomic_store(&job->wrong_worker, 1);
        return;
    }
    if (atomic_exchange(&job->busy[worker], 1) != 0) atomic_store(&job->shared_worker, 1);
    atomic_fetch_add(&job->runs[task], 1);
    if (task % 64 == 0) sched_yield();
    atomic_store(&job->busy[worker], 0);
}

static void check_watched(const watched_job *job, int64_t tasks) {
    assert_int_equal(atomic_load(&job->wrong_worker), 0);
    assert_int_equal(atomic_load(&job->shared_worker), 0);
    FOR(task, MAX_TASKS) assert_int_equal(atomic_load(&job->runs[task]), task < tasks ? 1 : 0);
}

static void check_every_task_runs_once(tgr_pool *pool) {
    static const int64_t counts[] = {0, 1, 2, 3, 1000, -1};
    atomic_int busy[MAX_WORKERS] = {0};
    for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++) {
        for (int repeat = 0; repeat < 20; repeat++) {
            watched_job job = {.workers = tgr_pool_workers(pool), .busy = busy};
            tgr_pool_run(pool, counts[i], watched_task, &job);
            check_watched(&job, counts[i]);
        }
    }
}

static void test_every_task_runs_once(void **state) {
    (void)state;
    for (int threads = 1; threads <= MAX_WORKERS; threads++) {
        tgr_pool *pool = NULL;
        assert_status(TGR_OK, tgr_pool_create(&pool, threads));
        assert_int_equal(tgr_pool_workers(pool), threads);
        check_every_task_runs_once(pool);
        tgr_pool_free(pool);
        assert_int_equal(atomic_load(&threads_alive), 0);
    }
}

/* Two tasks that each wait until the other has begun: true parallelism, whatever the processors. */
typedef struct meeting {
    atomic_int arrived, timed_out, finished;
    int workers[2];
    sigset_t masks[2];
} meeting;

static void meet(void *argument, int64_t task, int worker) {
    meeting *job = argument;
    job->workers[task] = worker;
    pthread_sigmask(SIG_SETMASK, NULL, &job->masks[worker & 1]);
    atomic_fetch_add(&job->arrived, 1);
    for (int i = 0; atomic_load(&job->arrived) < 2 && !atomic_load(&job->timed_out); i++) {
        sleep_microseconds(500);
        if (i > 20000) atomic_store(&job->timed_out, 1);
    }
    if (worker == 1) sleep_microseconds(3000); /* so long that the caller falls asleep over it */
    atomic_fetch_add(&job->finished, 1);
}

static void test_tasks_run_at_the_same_time(void **state) {
    (void)state;
    tgr_pool *pool = NULL;
    assert_status(TGR_OK, tgr_pool_create(&pool, 2));
    for (int i = 0; i < 50; i++) {
        meeting job = {0};
        tgr_pool_run(pool, 2, meet, &job);
        assert_int_equal(job.timed_out, 0);
        assert_int_equal(job.finished, 2);
        assert_int_equal(job.workers[0] + job.workers[1], 1);
        if (i % 10 == 0) sleep_microseconds(2000); /* let the worker fall asleep */
    }
    tgr_pool_free(pool);
}

static void test_signals_stay_with_the_host(void **state) {
    (void)state;
    tgr_pool *pool = NULL;
    assert_status(TGR_OK, tgr_pool_create(&pool, 2));
    meeting job = {0};
    tgr_pool_run(pool, 2, meet, &job);
    assert_int_equal(sigismember(&job.masks[0], SIGTERM), 0);
    assert_int_equal(sigismember(&job.masks[1], SIGTERM), 1);
    assert_int_equal(sigismember(&job.masks[1], SIGINT), 1);
    tgr_pool_free(pool);
}

typedef struct caller {
    tgr_pool *pool;
    atomic_int *busy, *failures;
} caller;

static void *call_often(void *argument) {
    caller *self = argument;
    for (int i = 0; i < 100; i++) {
        watched_job job = {.workers = tgr_pool_workers(self->pool), .busy = self->busy};
        int64_t tasks = 1 + i % 40;
        tgr_pool_run(self->pool, tasks, watched_task, &job);
        int64_t runs = 0;
        FOR(task, tasks) runs += atomic_load(&job.runs[task]);
        if (runs != tasks || atomic_load(&job.wrong_worker) || atomic_load(&job.shared_worker))
            atomic_fetch_add(self->failures, 1);
    }
    return NULL;
}

static void check_callers_take_turns(tgr_pool *pool) {
    enum { CALLERS = 4 };
    atomic_int busy[MAX_WORKERS] = {0}, failures = 0;
    pthread_t threads[CALLERS];
    caller callers[CALLERS];
    for (int i = 0; i < CALLERS; i++) {
        callers[i] = (caller){pool, busy, &failures};
        assert_int_equal(pthread_create(&threads[i], NULL, call_often, &callers[i]), 0);
    }
    for (int i = 0; i < CALLERS; i++) pthread_join(threads[i], NULL);
    assert_int_equal(atomic_load(&failures), 0);
}

static void test_callers_take_turns(void **state) {
    (void)state;
    for (int threads = 1; threads <= 3; threads++) {
        tgr_pool *pool = NULL;
        assert_status(TGR_OK, tgr_pool_create(&pool, threads));
        check_callers_take_turns(pool);
        tgr_pool_free(pool);
    }
}

/* A host's executor: two threads that take the even and the odd tasks, last first. */
typedef struct host_share {
    int64_t tasks;
    tgr_task_fn fn;
    void *job;
    int worker;
} host_share;

static void *run_share(void *argument) {
    host_share *share = argument;
    for (int64_t task = share->tasks - 1; task >= 0; task--)
        if (task % 2 == share->worker) share->fn(share->job, task, share->worker);
    return NULL;
}

static void run_on_host(void *user, int64_t tasks, tgr_task_fn fn, void *job) {
    ++*(int *)user; /* jobs take turns, so that counting them needs no lock */
    host_share even = {tasks, fn, job, 0}, odd = {tasks, fn, job, 1};
    pthread_t thread;
    int error = pthread_create(&thread, NULL, run_share, &odd);
    run_share(&even);
    if (error == 0) pthread_join(thread, NULL);
}

static void test_host_executor(void **state) {
    (void)state;
    int calls = 0;
    tgr_executor executor = {.struct_size = sizeof executor, .user = &calls, .workers = 2, .run = run_on_host};
    tgr_pool *pool = NULL;
    assert_status(TGR_OK, tgr_pool_create_from_executor(&pool, &executor));
    memset(&executor, 0, sizeof executor); /* it was copied */
    assert_int_equal(tgr_pool_workers(pool), 2);
    check_every_task_runs_once(pool);
    assert_int_equal(calls, 4 * 20); /* not for 0 or -1 tasks */
    check_callers_take_turns(pool);
    assert_int_equal(calls, 4 * 20 + 4 * 100);
    tgr_pool_free(pool);
}

static void test_bad_executor(void **state) {
    (void)state;
    tgr_pool *const untouched = (tgr_pool *)&creations_left, *pool = untouched;
    const tgr_executor good = {.struct_size = sizeof good, .workers = 2, .run = run_on_host};
    assert_fails(TGR_ERROR_ARGUMENT, "'out'", tgr_pool_create_from_executor(NULL, &good));
    assert_fails(TGR_ERROR_ARGUMENT, "'executor'", tgr_pool_create_from_executor(&pool, NULL));
    tgr_executor bad = good;
    bad.struct_size = 0;
    assert_fails(TGR_ERROR_RANGE, "struct_size 0", tgr_pool_create_from_executor(&pool, &bad));
    bad.struct_size = offsetof(tgr_executor, run);
    assert_fails(TGR_ERROR_RANGE, "struct_size", tgr_pool_create_from_executor(&pool, &bad));
    bad = good;
    bad.run = NULL;
    assert_fails(TGR_ERROR_ARGUMENT, "run", tgr_pool_create_from_executor(&pool, &bad));
    static const int workers[] = {-1, 0, 1025};
    for (size_t i = 0; i < sizeof workers / sizeof workers[0]; i++) {
        bad = good;
        bad.workers = workers[i];
        assert_fails(TGR_ERROR_RANGE, "workers", tgr_pool_create_from_executor(&pool, &bad));
    }
    assert_ptr_equal(pool, untouched);
}

static void test_number_of_threads(void **state) {
    (void)state;
    tgr_pool *const untouched = (tgr_pool *)&creations_left, *pool = untouched;
    assert_fails(TGR_ERROR_ARGUMENT, "'out'", tgr_pool_create(NULL, 1));
    assert_fails(TGR_ERROR_RANGE, "'threads' is -1", tgr_pool_create(&pool, -1));
    assert_fails(TGR_ERROR_RANGE, "'threads' is 1025; it must be 1 to 1024", tgr_pool_create(&pool, 1025));
    assert_ptr_equal(pool, untouched);

    cpu_set_t allowed, one;
    assert_int_equal(sched_getaffinity(0, sizeof allowed, &allowed), 0);
    assert_status(TGR_OK, tgr_pool_create(&pool, 0));
    assert_int_equal(tgr_pool_workers(pool), CPU_COUNT(&allowed));
    tgr_pool_free(pool);

    CPU_ZERO(&one);
    for (size_t cpu = 0; CPU_COUNT(&one) == 0; cpu++)
        if (CPU_ISSET(cpu, &allowed)) CPU_SET(cpu, &one);
    assert_int_equal(sched_setaffinity(0, sizeof one, &one), 0);
    assert_status(TGR_OK, tgr_pool_create(&pool, 0));
    assert_int_equal(sched_setaffinity(0, sizeof allowed, &allowed), 0);
    assert_int_equal(tgr_pool_workers(pool), 1);
    tgr_pool_free(pool);
    tgr_pool_free(NULL);
}

static void test_a_thread_fails_to_start(void **state) {
    (void)state;
    tgr_pool *const untouched = (tgr_pool *)&creations_left, *pool = untouched;
    for (int started = 0; started < 4; started++) {
        atomic_store(&creations_left, started);
        tgr_status status = tgr_pool_create(&pool, 5);
        atomic_store(&creations_left, -1);
        assert_fails(TGR_ERROR_THREAD, "of 5", status);
        assert_ptr_equal(pool, untouched);
        assert_int_equal(atomic_load(&threads_alive), 0);
    }
}

/* The pool lives as long as a context of it. */
static void test_pool_is_kept_alive(void **state) {
    (void)state;
    tgr_pool *pool = NULL;
    assert_status(TGR_OK, tgr_pool_create(&pool, 3));
    tgr_context_options options = {.struct_size = sizeof options, .pool = pool, .threads = 99999 /* ignored */};
    tgr_context *first = NULL, *second = NULL;
    assert_status(TGR_OK, tgr_context_create(&first, &options));
    assert_status(TGR_OK, tgr_context_create(&second, &options));
    tgr_context_free(first);
    tgr_pool_free(pool);
    int threads = tgr_context_thread_count(second);
    assert_int_equal(threads, 3);
    assert_int_equal(atomic_load(&threads_alive), 2);
    check_every_task_runs_once(pool); /* still `second`'s */
    tgr_context_free(second);
    assert_int_equal(atomic_load(&threads_alive), 0);
}

static void test_idle_threads_use_no_processor(void **state) {
    (void)state;
    tgr_pool *pool = NULL;
    assert_status(TGR_OK, tgr_pool_create(&pool, 2));
    check_every_task_runs_once(pool);
    sleep_microseconds(50000);
    clock_t before = clock();
    sleep_microseconds(300000);
    double used = (double)(clock() - before) / CLOCKS_PER_SEC;
    tgr_pool_free(pool);
    assert_true(used < 0.1);
}

/* Nor between the steps of a training whose host does something else in between: a thread looks for more work for some
 * hundred microseconds, and then sleeps. */
static void test_threads_sleep_between_steps(void **state) {
    (void)state;
    tgr_pool *pool = NULL;
    double used = 0;
    assert_status(TGR_OK, tgr_pool_create(&pool, 2));
    for (int step = 0; step < 10; step++) {
        check_every_task_runs_once(pool);
        clock_t before = clock();
        sleep_microseconds(50000);
        used += (double)(clock() - before) / CLOCKS_PER_SEC;
    }
    tgr_pool_free(pool);
    assert_true(used < 0.1); /* of 0.5 seconds, which a thread that spins would have all of */
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_task_runs_once),
        cmocka_unit_test(test_tasks_run_at_the_same_time),
        cmocka_unit_test(test_signals_stay_with_the_host),
        cmocka_unit_test(test_callers_take_turns),
        cmocka_unit_test(test_host_executor),
        cmocka_unit_test(test_bad_executor),
        cmocka_unit_test(test_number_of_threads),
        cmocka_unit_test(test_a_thread_fails_to_start),
        cmocka_unit_test(test_pool_is_kept_alive),
        cmocka_unit_test(test_idle_threads_use_no_processor),
        cmocka_unit_test(test_threads_sleep_between_steps),
    };
    return cmocka_run_group_tests_name("pool", tests, NULL, NULL);
}

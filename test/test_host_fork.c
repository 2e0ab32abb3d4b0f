/* SPDX-License-Identifier: MIT */
/* fork() under a host that has handles: a child may use and free what it inherited, and waits for no thread that it has
 * not. Whatever hangs is killed by an alarm. */
#include <sched.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/pool.h"
#include "training_support.h"

enum { SECONDS = 20, STEPS = 4, TASKS = 500 };

#if defined(__SANITIZE_THREAD__)
#define UNDER_THREAD_SANITIZER 1 /* which starts no threads in a child of a process that has some */
#else
#define UNDER_THREAD_SANITIZER 0
#endif

/* Runs fn(user) in a child; the test fails unless it returns 0 in time. cmocka's checks would end the wrong process. */
static void in_child(int (*fn)(void *user), void *user) {
    const pid_t child = fork();
    int status = -1;
    assert_true(child >= 0);
    if (child == 0) {
        alarm(SECONDS);
        _exit(fn(user));
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_false(WIFSIGNALED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

static int free_training(void *user) {
    training_end(user);
    return 0;
}

static void test_child_frees_what_it_inherited(void **state) {
    (void)state;
    for (int threads = 1; threads <= 3; threads++) {
        training t;
        assert_status(TGR_OK, training_start(&t, test_context(threads, 7), "vmoe", ""));
        assert_status(TGR_OK, train(&t, 0));
        in_child(free_training, &t);
        assert_status(TGR_OK, train(&t, 1)); /* the parent's threads are still there */
        training_end(&t);
    }
}

/* What the child's training comes to. */
typedef struct continuation {
    training *t;
    const float *expected; /* the parent's weights after the same steps */
    int generations;       /* forks still to come before it */
} continuation;

static int train_on(void *user) {
    continuation *c = user;
    const tgr_parameters *parameters = test_model_parameters(c->t->model);
    if (c->generations > 0) {
        const pid_t child = fork();
        int status = -1;
        c->generations--;
        if (child == 0) {
            alarm(SECONDS);
            _exit(train_on(c));
        }
        if (waitpid(child, &status, 0) != child || status != 0) return 1;
    }
    for (int64_t i = 2; i < STEPS; i++)
        if (train(c->t, i) != TGR_OK) return 2;
    const int same = memcmp(parameters->values, c->expected, (size_t)parameters->floats * sizeof(float)) == 0;
    training_end(c->t);
    return same ? 0 : 3;
}

/* A child, and a child of it, continue a run from where the parent was: the same bytes. */
static void test_child_trains_on(void **state) {
    (void)state;
    training t[2]; /* the parent's and one for the children */
    for (int i = 0; i < 2; i++) assert_status(TGR_OK, training_start(&t[i], test_context(3, 7), "vmoe", ""));
    FOR(step, STEPS) assert_status(TGR_OK, train(&t[0], step));
    FOR(step, 2) assert_status(TGR_OK, train(&t[1], step));
    continuation c = {&t[1], test_model_parameters(t[0].model)->values, 1};
    in_child(train_on, &c);
    for (int i = 0; i < 2; i++) training_end(&t[i]);
}

/* A pool that a thread of the parent's uses without pause, so that its locks are held when the process is forked. */
typedef struct busy_pool {
    tgr_pool *pool;
    atomic_int stop, runs;
} busy_pool;

static void look_busy(void *job, int64_t task, int worker) {
    (void)job, (void)task, (void)worker;
    for (volatile int i = 0; i < 100; i++) continue;
}

static void *keep_busy(void *user) {
    busy_pool *busy = user;
    while (!atomic_load(&busy->stop)) {
        tgr_pool_run(busy->pool, 64, look_busy, NULL);
        atomic_fetch_add(&busy->runs, 1);
    }
    return NULL;
}

static void count_task(void *job, int64_t task, int worker) {
    int *runs = job;
    (void)task;
    if (worker == 0) ++*runs;
}

static int use_and_free(void *user) {
    int runs = 0;
    tgr_pool *pool = user;
    tgr_pool_run(pool, TASKS, count_task, &runs);
    tgr_pool_free(pool);
    return runs == TASKS ? 0 : 1;
}

static void test_fork_in_the_midst_of_a_job(void **state) {
    (void)state;
    for (int threads = 1; threads <= 3; threads += 2) {
        busy_pool busy = {0};
        pthread_t thread;
        assert_status(TGR_OK, tgr_pool_create(&busy.pool, threads));
        assert_int_equal(pthread_create(&thread, NULL, keep_busy, &busy), 0);
        while (atomic_load(&busy.runs) < 3) sched_yield();
        for (int i = 0; i < 20; i++) in_child(use_and_free, busy.pool);
        atomic_store(&busy.stop, 1);
        pthread_join(thread, NULL);
        tgr_pool_free(busy.pool);
    }
}

/* Two threads of a child at once on an inherited pool: no two tasks with the same worker at one time. */
typedef struct sharing {
    tgr_pool *pool;
    atomic_int inside, shared, runs;
} sharing;

static void watch_task(void *job, int64_t task, int worker) {
    sharing *s = job;
    (void)task, (void)worker;
    if (atomic_exchange(&s->inside, 1) != 0) atomic_store(&s->shared, 1);
    for (volatile int i = 0; i < 200; i++) continue;
    atomic_store(&s->inside, 0);
    atomic_fetch_add(&s->runs, 1);
}

static void *run_watched(void *user) {
    sharing *s = user;
    for (int i = 0; i < 20; i++) tgr_pool_run(s->pool, 20, watch_task, s);
    return NULL;
}

static int run_in_two_threads(void *user) {
    sharing *s = user;
    pthread_t thread;
    if (pthread_create(&thread, NULL, run_watched, s) != 0) return 1;
    run_watched(s);
    pthread_join(thread, NULL);
    return atomic_load(&s->shared) || atomic_load(&s->runs) != 800 ? 2 : 0;
}

static void test_threads_of_a_child_take_turns(void **state) {
    (void)state;
    if (UNDER_THREAD_SANITIZER) skip();
    for (int i = 0; i < 10; i++) {
        sharing s = {0};
        assert_status(TGR_OK, tgr_pool_create(&s.pool, 3));
        tgr_pool_lock(s.pool); /* as if another thread had it */
        in_child(run_in_two_threads, &s);
        tgr_pool_unlock(s.pool);
        tgr_pool_free(s.pool);
    }
}

/* The host's own threads are not there either. */
static void run_on_host(void *user, int64_t tasks, tgr_task_fn fn, void *job) {
    ++*(int *)user;
    FOR(task, tasks) fn(job, task, 0);
}

static int calls_of_executor;

static int use_without_executor(void *user) {
    const int failed = use_and_free(user);
    return failed || calls_of_executor != 1;
}

static void test_child_leaves_the_executor_alone(void **state) {
    (void)state;
    const tgr_executor executor = {
        .struct_size = sizeof executor, .user = &calls_of_executor, .workers = 4, .run = run_on_host};
    tgr_pool *pool;
    int runs = 0;
    assert_status(TGR_OK, tgr_pool_create_from_executor(&pool, &executor));
    tgr_pool_run(pool, 3, count_task, &runs);
    in_child(use_without_executor, pool);
    tgr_pool_free(pool);
}

static int make_and_train(void *user) {
    training t;
    (void)user;
    if (training_start(&t, test_context(2, 7), "vmoe", "") != TGR_OK || train(&t, 0) != TGR_OK) return 1;
    training_end(&t);
    return 0;
}

static void test_child_makes_a_context_of_its_own(void **state) {
    (void)state;
    if (UNDER_THREAD_SANITIZER) skip();
    tgr_context *context = test_context(2, 7);
    in_child(make_and_train, NULL);
    tgr_context_free(context);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_child_frees_what_it_inherited),   cmocka_unit_test(test_child_trains_on),
        cmocka_unit_test(test_fork_in_the_midst_of_a_job),      cmocka_unit_test(test_threads_of_a_child_take_turns),
        cmocka_unit_test(test_child_leaves_the_executor_alone), cmocka_unit_test(test_child_makes_a_context_of_its_own),
    };
    return cmocka_run_group_tests_name("host_fork", tests, NULL, NULL);
}

/* SPDX-License-Identifier: MIT */
/* A pool of threads that takes one job at a time: its tasks are claimed one by one from a shared counter.
 *
 * The thread that posts the job works on it as worker 0 and ends it: once it finds no task left it closes the job and
 * waits only for the workers that joined, so a worker that is slow to wake costs nothing.
 *
 * A child of fork() has a copy of the pool without its threads, and perhaps with a lock that one of them held. There
 * the caller does all tasks itself, behind a lock of the child's own, and waits for nothing. */
#include "base/pool.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/float_mode.h"
#include "base/status.h"
#include "base/struct.h"

#define TGR_MAX_WORKERS 1024

/* How often to check for a job before sleeping: 100 to 300 microseconds, depending on the processor. Waking a sleeping
 * thread takes up to 50, and most gaps between the jobs of a training step are shorter than this. */
#define SPINS 8000

typedef struct own_thread {
    tgr_pool *pool;
    int index; /* 1 … workers - 1 */
    pthread_t thread;
} own_thread;

struct tgr_pool {
    atomic_int references;
    int workers;
    tgr_executor executor; /* `run` is NULL when the threads are the pool's own */
    unsigned home;         /* forks_so_far of the process that made the pool */
    pthread_mutex_t turn;  /* held while a job runs */
    atomic_uint turn_made; /* twice the forks_so_far of the process that `turn` is of; odd while it is being made */

    /* The rest is for the pool's own threads. */
    int spins;
    pthread_mutex_t lock; /* guards what follows, except the atomics */
    pthread_cond_t wake, done;
    int sleeping;       /* workers that wait for `wake` */
    int open;           /* workers may join the job */
    int stop;           /* workers must end */
    atomic_uint posted; /* jobs so far, plus one for the stop; changed under `lock`, watched without */
    atomic_int joined;  /* workers on the job; changed under `lock`, watched without */
    tgr_task_fn fn;
    void *job;
    int64_t tasks;
    atomic_llong next;    /* the first task that is not claimed */
    own_thread threads[]; /* [workers - 1] */
};

/* In how many generations this process is a child of fork(). */
static atomic_uint forks_so_far;
static pthread_once_t forks_are_counted = PTHREAD_ONCE_INIT;
static int fork_count_error;

static void count_fork(void) {
    atomic_fetch_add(&forks_so_far, 1);
}

static void begin_to_count_forks(void) {
    fork_count_error = pthread_atfork(NULL, NULL, count_fork);
}

/* Whether the pool's threads are another process's. */
static int is_inherited(const tgr_pool *pool) {
    return pool->home != atomic_load_explicit(&forks_so_far, memory_order_relaxed);
}

static void relax(void) {
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

static int available_processors(void) {
    long count = 0;
#if defined(__linux__)
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof set, &set) == 0) count = CPU_COUNT(&set);
#endif
    if (count < 1) count = sysconf(_SC_NPROCESSORS_ONLN);
    if (count < 1) return 1;
    return count > TGR_MAX_WORKERS ? TGR_MAX_WORKERS : (int)count;
}

static void claim_tasks(tgr_pool *pool, int worker_index) {
    for (;;) {
        int64_t task = atomic_fetch_add_explicit(&pool->next, 1, memory_order_relaxed);
        if (task >= pool->tasks) return;
        pool->fn(pool->job, task, worker_index);
    }
}

static void *worker_main(void *argument) {
    const own_thread *self = argument;
    tgr_pool *pool = self->pool;
    unsigned seen = 0;
    (void)tgr_float_mode_enter(); /* not that of the thread that made this one */
    for (;;) {
        for (int i = 0; i < pool->spins && atomic_load_explicit(&pool->posted, memory_order_acquire) == seen; i++)
            relax();

        pthread_mutex_lock(&pool->lock);
        while (atomic_load(&pool->posted) == seen) {
            pool->sleeping++;
            pthread_cond_wait(&pool->wake, &pool->lock);
            pool->sleeping--;
        }
        seen = atomic_load(&pool->posted);
        int stop = pool->stop, join = pool->open;
        if (join) atomic_fetch_add(&pool->joined, 1);
        pthread_mutex_unlock(&pool->lock);

        if (stop) return NULL;
        if (!join) continue;
        claim_tasks(pool, self->index);

        pthread_mutex_lock(&pool->lock);
        if (atomic_fetch_sub(&pool->joined, 1) == 1) pthread_cond_signal(&pool->done);
        pthread_mutex_unlock(&pool->lock);
    }
}

/* Starts thread `index`, with all signals blocked: they are for the host's threads. */
static tgr_status start_worker(tgr_pool *pool, int index) {
    TGR_ASSERT(index >= 1 && index < pool->workers);
    own_thread *self = &pool->threads[index - 1];
    *self = (own_thread){.pool = pool, .index = index};
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int error = pthread_create(&self->thread, NULL, worker_main, self);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    TGR_REQUIRE(error == 0, TGR_ERROR_THREAD, "thread %d of %d could not be started (error %d)", index + 1,
                pool->workers, error);
    return TGR_OK;
}

/* Ends the pool, `started` of whose own threads are running. */
static void destroy(tgr_pool *pool, int started) {
    if (is_inherited(pool)) { /* destroying what other threads wait for would mean waiting for them */
        free(pool);
        return;
    }
    pthread_mutex_lock(&pool->lock);
    pool->stop = 1;
    atomic_fetch_add(&pool->posted, 1);
    pthread_cond_broadcast(&pool->wake);
    pthread_mutex_unlock(&pool->lock);
    for (int i = 0; i < started; i++) pthread_join(pool->threads[i].thread, NULL);
    TGR_ASSERT(atomic_load(&pool->joined) == 0 && pool->sleeping == 0);
    pthread_cond_destroy(&pool->done);
    pthread_cond_destroy(&pool->wake);
    pthread_mutex_destroy(&pool->lock);
    pthread_mutex_destroy(&pool->turn);
    free(pool);
}

/* A pool without running threads, with room for `threads` of its own. */
static tgr_status allocate(tgr_pool **out, int workers, int threads) {
    pthread_once(&forks_are_counted, begin_to_count_forks);
    TGR_REQUIRE(fork_count_error == 0, TGR_ERROR_MEMORY, "no memory for noticing fork()");
    /* A pool may outlive contexts and be shared by several, so its few bytes do not come from a context's allocator. */
    tgr_pool *pool = calloc(1, sizeof *pool + (size_t)threads * sizeof pool->threads[0]);
    TGR_REQUIRE(pool != NULL, TGR_ERROR_MEMORY, "no memory for a pool of %d threads", workers);
    atomic_init(&pool->references, 1);
    pool->home = atomic_load(&forks_so_far);
    atomic_init(&pool->turn_made, 2 * pool->home);
    pool->workers = workers;
    /* With fewer processors than workers, a spinning thread would hinder a working one. */
    pool->spins = workers <= available_processors() ? SPINS : 0;
    pthread_mutex_init(&pool->turn, NULL);
    pthread_mutex_init(&pool->lock, NULL);
    pthread_cond_init(&pool->wake, NULL);
    pthread_cond_init(&pool->done, NULL);
    *out = pool;
    return TGR_OK;
}

tgr_status tgr_pool_create(tgr_pool **out, int threads) {
    TGR_ENTER;
    TGR_REQUIRE_ARGUMENT(out);
    TGR_REQUIRE(threads >= 0 && threads <= TGR_MAX_WORKERS, TGR_ERROR_RANGE,
                "argument 'threads' is %d; it must be 1 to %d, or 0 for all processors", threads, TGR_MAX_WORKERS);
    if (threads == 0) threads = available_processors();
    tgr_status status = TGR_OK;
    tgr_pool *pool;
    int started = 0;
    TGR_TRY(allocate(&pool, threads, threads - 1));
    for (; started < threads - 1; started++) TGR_TRY_DONE(start_worker(pool, started + 1));
    *out = pool;
done:
    if (status != TGR_OK) destroy(pool, started);
    return status;
}

tgr_status tgr_pool_create_from_executor(tgr_pool **out, const tgr_executor *executor) {
    TGR_ENTER;
    TGR_REQUIRE_ARGUMENT(out);
    TGR_REQUIRE_ARGUMENT(executor);
    tgr_executor copy;
    TGR_TRY(TGR_STRUCT_READ(&copy, executor, run));
    TGR_REQUIRE_ARGUMENT(executor->run);
    TGR_REQUIRE(copy.workers >= 1 && copy.workers <= TGR_MAX_WORKERS, TGR_ERROR_RANGE,
                "argument 'executor->workers' is %d; it must be 1 to %d", copy.workers, TGR_MAX_WORKERS);
    tgr_pool *pool;
    TGR_TRY(allocate(&pool, copy.workers, 0));
    pool->executor = copy;
    *out = pool;
    return TGR_OK;
}

void tgr_pool_retain(tgr_pool *pool) {
    int before = atomic_fetch_add(&pool->references, 1);
    TGR_ASSERT(before > 0);
}

void tgr_pool_free(tgr_pool *pool) {
    if (pool == NULL || atomic_fetch_sub(&pool->references, 1) != 1) return;
    destroy(pool, pool->executor.run == NULL ? pool->workers - 1 : 0);
}

int tgr_pool_workers(const tgr_pool *pool) {
    return pool->workers;
}

/* Whoever held `turn` when the process was forked is not in the child: its first thread to come makes it afresh. */
static void make_turn(tgr_pool *pool) {
    unsigned here = 2 * atomic_load(&forks_so_far), seen = atomic_load(&pool->turn_made);
    while (seen != here) {
        if (seen == here + 1) {
            sched_yield();
            seen = atomic_load(&pool->turn_made);
        } else if (atomic_compare_exchange_strong(&pool->turn_made, &seen, here + 1)) {
            pthread_mutex_init(&pool->turn, NULL);
            atomic_store(&pool->turn_made, here);
            seen = here;
        }
    }
}

void tgr_pool_lock(tgr_pool *pool) {
    if (is_inherited(pool)) make_turn(pool);
    pthread_mutex_lock(&pool->turn);
}

void tgr_pool_unlock(tgr_pool *pool) {
    pthread_mutex_unlock(&pool->turn);
}

static void run_on_own_threads(tgr_pool *pool, int64_t tasks, tgr_task_fn fn, void *job) {
    pthread_mutex_lock(&pool->lock);
    TGR_ASSERT(!pool->open && atomic_load(&pool->joined) == 0);
    pool->fn = fn;
    pool->job = job;
    pool->tasks = tasks;
    atomic_store_explicit(&pool->next, 0, memory_order_relaxed);
    pool->open = 1;
    atomic_fetch_add(&pool->posted, 1);
    if (pool->sleeping > 0) pthread_cond_broadcast(&pool->wake);
    pthread_mutex_unlock(&pool->lock);

    claim_tasks(pool, 0);

    pthread_mutex_lock(&pool->lock);
    pool->open = 0;
    pthread_mutex_unlock(&pool->lock);
    for (int i = 0; i < pool->spins && atomic_load_explicit(&pool->joined, memory_order_acquire) > 0; i++) relax();
    pthread_mutex_lock(&pool->lock);
    while (atomic_load(&pool->joined) > 0) pthread_cond_wait(&pool->done, &pool->lock);
    pthread_mutex_unlock(&pool->lock);
}

/* A task on a thread of the host's. */
typedef struct hosted_job {
    tgr_task_fn fn;
    void *job;
} hosted_job;

static void run_hosted(void *data, int64_t task, int worker) {
    const hosted_job *hosted = data;
    const tgr_float_mode before = tgr_float_mode_enter();
    hosted->fn(hosted->job, task, worker);
    tgr_float_mode_leave(before);
}

void tgr_pool_run(tgr_pool *pool, int64_t tasks, tgr_task_fn fn, void *job) {
    if (tasks <= 0) return;
    tgr_pool_lock(pool);
    if (pool->executor.run != NULL && !is_inherited(pool)) {
        TGR_CALL_HOST;
        pool->executor.run(pool->executor.user, tasks, run_hosted, &(hosted_job){fn, job});
    } else if (pool->workers == 1 || tasks == 1 || is_inherited(pool)) {
        for (int64_t task = 0; task < tasks; task++) fn(job, task, 0);
    } else {
        run_on_own_threads(pool, tasks, fn, job);
    }
    tgr_pool_unlock(pool);
}

/* SPDX-License-Identifier: MIT */
/* The inside of a context, and the environment that kernels run in. */
#ifndef TGR_BASE_CONTEXT_H
#define TGR_BASE_CONTEXT_H

#include <pthread.h>
#include <stdatomic.h>

#include "tgrmoe/context.h"

struct tgr_kernels; /* kernels/kernels.h */

/* What a kernel needs to run: threads, the processor's kernels, scratch memory for each worker. Only a task may use the
 * scratch, and only its own worker's: between jobs another handle may make it grow. */
typedef struct tgr_compute {
    tgr_context *context;
    tgr_pool *pool;
    const struct tgr_kernels *kernels;
    float **scratch; /* [workers], each of scratch_floats, 64-byte aligned */
    int64_t scratch_floats;
    int workers;
} tgr_compute;

struct tgr_context {
    atomic_int references;
    tgr_allocator allocator;
    tgr_log_fn log;
    void *log_user;
    uint64_t seed;
    atomic_ullong bytes_now, bytes_peak, allocations;
    pthread_mutex_t scratch_lock; /* guards growing the scratch */
    tgr_compute compute;
};

/* Creates a context that computes with these kernels, each worker with so much scratch to begin with; `options` may be
 * NULL. (tgr_context_create, in kernels/context_create.c, knows which kernels.) */
tgr_status tgr_context_build(tgr_context **out, const tgr_context_options *options, const struct tgr_kernels *kernels,
                             int64_t scratch_floats);
void tgr_context_retain(tgr_context *context);

/* Runs fn(job, task, worker) for every task in [0, tasks); returns when all are done. Jobs of one pool take turns. Must
 * not be called from inside a task. */
void tgr_parallel(const tgr_compute *compute, int64_t tasks, tgr_task_fn fn, void *job);

/* Makes sure that every worker has at least `floats` of scratch. Called when a handle is created, never in a step. */
tgr_status tgr_compute_reserve(tgr_compute *compute, int64_t floats);

/* Calls the host's log function, if there is one. */
void tgr_log(tgr_context *context, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif

/* SPDX-License-Identifier: MIT */
/**
 * @file context.h
 * The ground that other handles stand on: worker threads, memory, log callback, seed.
 *
 * A context may be shared by any number of handles and by threads that use different handles. Parallel work of handles
 * that share a pool takes turns. Results never depend on the number of threads: sums have a fixed order at any number,
 * and every call computes in the default floating-point mode, whatever the host's threads are in, and leaves them so.
 *
 * A child of fork() may use and free the handles that it inherits, but for those that another thread was using at that
 * moment. The threads, the host's own included, stay with the parent: in the child jobs run on the calling thread.
 */
#ifndef TGRMOE_CONTEXT_H
#define TGRMOE_CONTEXT_H

#include "tgrmoe/common.h"

#ifdef __cplusplus
extern "C" {
#endif

/** One task of a parallel job. `worker` is below the executor's `workers`, and no two tasks share it at one time. */
typedef void (*tgr_task_fn)(void *job, int64_t task, int worker);

/** The host's own threads, if it has some. `run` must call `fn` once for each task in [0, tasks) and return when all
 *  have returned; in which order, and on which thread, is the host's business. */
typedef struct tgr_executor {
    size_t struct_size; /**< sizeof(tgr_executor), set by the caller */
    void *user;         /**< handed to `run` */
    int workers;        /**< how many tasks may run at once, 1 to 1024 */
    void (*run)(void *user, int64_t tasks, tgr_task_fn fn, void *job);
} tgr_executor;

/** Where memory comes from. Both functions may be called from any thread that uses a handle. */
typedef struct tgr_allocator {
    size_t struct_size;                                            /**< sizeof(tgr_allocator), set by the caller */
    void *user;                                                    /**< handed to both functions */
    void *(*allocate)(void *user, size_t bytes, size_t alignment); /**< NULL when there is none; alignment 64 at most */
    void (*release)(void *user, void *memory, size_t bytes);       /**< never called with NULL */
} tgr_allocator;

/** Called with one line about something worth knowing. Must not call back into the handle at work. */
typedef void (*tgr_log_fn)(void *user, const char *message);

/** What a context can be given; every field may stay zero. */
typedef struct tgr_context_options {
    size_t struct_size;             /**< sizeof(tgr_context_options), set by the caller */
    int threads;                    /**< 0: as many as the process may run on; ignored when `pool` is set */
    tgr_pool *pool;                 /**< NULL: the context makes its own with `threads` threads */
    const tgr_allocator *allocator; /**< NULL: the C library's; copied */
    tgr_log_fn log;                 /**< NULL: silence */
    void *log_user;                 /**< handed to `log` */
    uint64_t seed;                  /**< of every random number that handles of this context draw */
} tgr_context_options;

/** Starts `threads` - 1 workers (the calling thread is one, too). They sleep while there is no work.
 *  @param threads 1 to 1024, or 0 for as many as the process may run on. */
TGR_API tgr_status tgr_pool_create(tgr_pool **out, int threads);
/** Wraps the host's own threads. The struct is copied. */
TGR_API tgr_status tgr_pool_create_from_executor(tgr_pool **out, const tgr_executor *executor);
/** Gives up the caller's hold; the threads end when no context uses them. */
TGR_API void tgr_pool_free(tgr_pool *pool);

/** Makes a context. @param options NULL for the defaults. */
TGR_API tgr_status tgr_context_create(tgr_context **out, const tgr_context_options *options);
/** Gives up the caller's hold; what was made from the context keeps it alive. */
TGR_API void tgr_context_free(tgr_context *context);
/** How many tasks run at once. */
TGR_API int64_t tgr_context_thread_count(const tgr_context *context);
/** The name of the compute kernels that the processor got, the first that it can run: "amx", "avx512", "avx2", "blis",
 *  "portable". The environment variable TGRMOE_KERNELS, read when a context is made, asks for one of them by name; it
 *  is meant for tests, and one that the machine cannot run is refused. Option precision=bfloat16 needs "amx", or
 *  "avx512" on a processor with AVX512_BF16. For "amx" the system is asked for the tile registers when a context is
 *  made; what it grants holds for the whole process (docs/abi.md). */
TGR_API const char *tgr_context_kernels(const tgr_context *context);
/** Bytes that handles of this context hold now. */
TGR_API uint64_t tgr_context_bytes(const tgr_context *context);
/** The most bytes that they ever held. */
TGR_API uint64_t tgr_context_peak_bytes(const tgr_context *context);
/** How many allocations handles of this context have made so far (for checking that a training step makes none). */
TGR_API int64_t tgr_context_allocation_count(const tgr_context *context);

#ifdef __cplusplus
}
#endif
#endif

/* SPDX-License-Identifier: MIT */
/**
 * @file context.h
 * What all other handles need: worker threads, memory, log callback, seed.
 *
 * A context may be shared by any number of handles and by threads that use different handles. Parallel work of handles
 * that share a pool takes turns. Results never depend on the number of threads: sums have the same order with any
 * number, and every call computes in the default floating-point mode, whatever the mode of the host's threads, which it
 * restores.
 *
 * A child of fork() may use and free the handles that it inherits, except those that another thread was using at that
 * moment. The threads, the host's own included, stay with the parent: in the child jobs run on the calling thread.
 */
#ifndef TGRMOE_CONTEXT_H
#define TGRMOE_CONTEXT_H

#include "tgrmoe/common.h"

#ifdef __cplusplus
extern "C" {
#endif

/** One task of a parallel job. `worker` is less than the executor's `workers`, and no two tasks have the same at the
 *  same time. */
typedef void (*tgr_task_fn)(void *job, int64_t task, int worker);

/** The host's own threads, if it has any. `run` must call `fn` once for each task in [0, tasks) and return when all
 *  have returned; the order and the threads are up to the host. */
typedef struct tgr_executor {
    size_t struct_size; /**< sizeof(tgr_executor), set by the caller */
    void *user;         /**< passed to `run` */
    int workers;        /**< how many tasks may run at once, 1 to 1024 */
    void (*run)(void *user, int64_t tasks, tgr_task_fn fn, void *job);
} tgr_executor;

/** Where memory comes from. Both functions may be called from any thread that uses a handle. */
typedef struct tgr_allocator {
    size_t struct_size;                                            /**< sizeof(tgr_allocator), set by the caller */
    void *user;                                                    /**< passed to both functions */
    void *(*allocate)(void *user, size_t bytes, size_t alignment); /**< NULL when there is none; alignment at most 64 */
    void (*release)(void *user, void *memory, size_t bytes);       /**< never called with NULL */
} tgr_allocator;

/** Called with one line that may be of interest. Must not call the handle that is being used. */
typedef void (*tgr_log_fn)(void *user, const char *message);

/** The options of a context; every field may stay zero. */
typedef struct tgr_context_options {
    size_t struct_size;             /**< sizeof(tgr_context_options), set by the caller */
    int threads;                    /**< 0: as many as the process may run on; ignored when `pool` is set */
    tgr_pool *pool;                 /**< NULL: the context makes its own with `threads` threads */
    const tgr_allocator *allocator; /**< NULL: the C library's; copied */
    tgr_log_fn log;                 /**< NULL: nothing is logged */
    void *log_user;                 /**< passed to `log` */
    uint64_t seed;                  /**< of every random number that handles of this context draw */
} tgr_context_options;

/** Starts `threads` - 1 workers (the calling thread works, too). They sleep while there is no work.
 *  @param threads 1 to 1024, or 0 for as many as the process may run on. */
TGR_API tgr_status tgr_pool_create(tgr_pool **out, int threads);
/** Wraps the host's own threads. The struct is copied. */
TGR_API tgr_status tgr_pool_create_from_executor(tgr_pool **out, const tgr_executor *executor);
/** Releases the caller's handle; the threads end when no context uses them. */
TGR_API void tgr_pool_free(tgr_pool *pool);

/** Makes a context. @param options NULL for the defaults. */
TGR_API tgr_status tgr_context_create(tgr_context **out, const tgr_context_options *options);
/** Releases the caller's handle; what was made from the context keeps it alive. */
TGR_API void tgr_context_free(tgr_context *context);
/** How many tasks run at once. */
TGR_API int64_t tgr_context_thread_count(const tgr_context *context);
/** The name of the compute kernels in use, by default the first of these that the processor can run: "amx", "avx512",
 *  "avx2", "blis", "portable". The environment variable TGRMOE_KERNELS, read when a context is made, selects one of
 *  them by name; it is meant for tests, and one that the machine cannot run is refused. Option precision=bfloat16 needs
 *  "amx", or "avx512" on a processor with AVX512_BF16. For "amx" the system is asked for the tile registers when a
 *  context is made; it grants them for the whole process (docs/abi.md). */
TGR_API const char *tgr_context_kernels(const tgr_context *context);
/** Bytes that handles of this context hold now. */
TGR_API uint64_t tgr_context_bytes(const tgr_context *context);
/** The most bytes that they have held. */
TGR_API uint64_t tgr_context_peak_bytes(const tgr_context *context);
/** How many allocations handles of this context have made so far (for checking that a training step makes none). */
TGR_API int64_t tgr_context_allocation_count(const tgr_context *context);

#ifdef __cplusplus
}
#endif
#endif

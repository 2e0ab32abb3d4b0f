/* SPDX-License-Identifier: MIT */
/* The context: created once, shared and kept alive by everything created from it. */
#include "base/context.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

#include "base/assert.h"
#include "base/memory.h"
#include "base/pool.h"
#include "base/status.h"
#include "base/struct.h"

#define TGR_LOG_BYTES 512

static tgr_status copy_allocator(tgr_allocator *into, const tgr_context_options *options) {
    if (options->allocator == NULL) {
        *into = tgr_default_allocator;
        return TGR_OK;
    }
    TGR_TRY(TGR_STRUCT_READ(into, options->allocator, release));
    TGR_REQUIRE_ARGUMENT(options->allocator->allocate);
    TGR_REQUIRE_ARGUMENT(options->allocator->release);
    return TGR_OK;
}

/* Everything but the memory of the context itself. On failure the caller passes the context to `destroy`. */
static tgr_status set_up(tgr_context *context, const tgr_context_options *options) {
    tgr_compute *compute = &context->compute;
    if (options->pool != NULL) {
        tgr_pool_retain(options->pool);
        compute->pool = options->pool;
    } else {
        TGR_TRY(tgr_pool_create(&compute->pool, options->threads));
    }
    compute->workers = tgr_pool_workers(compute->pool);
    TGR_ASSERT(compute->workers >= 1);
    void *scratch;
    TGR_TRY(tgr_allocate(context, &scratch, (size_t)compute->workers, sizeof *compute->scratch));
    compute->scratch = scratch;
    return TGR_OK;
}

/* All scratch is one block, which begins with worker 0's. */
static void release_scratch(tgr_context *context, float *block, int64_t floats) {
    tgr_release(context, block, (size_t)context->compute.workers * (size_t)floats, sizeof(float));
}

static void destroy(tgr_context *context) {
    tgr_compute *compute = &context->compute;
    if (compute->scratch != NULL) {
        release_scratch(context, compute->scratch[0], atomic_load(&compute->scratch_floats));
        tgr_release(context, compute->scratch, (size_t)compute->workers, sizeof *compute->scratch);
    }
    tgr_pool_free(compute->pool);
    tgr_allocator allocator = context->allocator;
    allocator.release(allocator.user, context, sizeof *context);
}

tgr_status tgr_context_build(tgr_context **out, const tgr_context_options *options, const struct tgr_kernels *kernels) {
    TGR_ASSERT(kernels != NULL);
    tgr_context_options copy = {.struct_size = sizeof copy};
    if (options != NULL) TGR_TRY(TGR_STRUCT_READ(&copy, options, struct_size));
    tgr_allocator allocator;
    TGR_TRY(copy_allocator(&allocator, &copy));

    void *memory;
    TGR_TRY(tgr_allocate_from(&allocator, &memory, sizeof(tgr_context)));
    tgr_context *context = memory;
    atomic_init(&context->references, 1);
    context->allocator = allocator;
    context->log = copy.log;
    context->log_user = copy.log_user;
    context->seed = copy.seed;
    context->compute.context = context;
    context->compute.kernels = kernels;

    tgr_status status = TGR_OK;
    TGR_TRY_DONE(set_up(context, &copy));
    *out = context;
done:
    if (status != TGR_OK) destroy(context);
    return status;
}

void tgr_context_retain(tgr_context *context) {
    int before = atomic_fetch_add(&context->references, 1);
    TGR_ASSERT(before > 0);
}

void tgr_context_free(tgr_context *context) {
    if (context == NULL || atomic_fetch_sub(&context->references, 1) != 1) return;
    destroy(context);
}

int64_t tgr_context_thread_count(const tgr_context *context) {
    return context != NULL ? context->compute.workers : 0;
}

uint64_t tgr_context_bytes(const tgr_context *context) {
    return context != NULL ? atomic_load(&context->bytes_now) : 0;
}

uint64_t tgr_context_peak_bytes(const tgr_context *context) {
    return context != NULL ? atomic_load(&context->bytes_peak) : 0;
}

int64_t tgr_context_allocation_count(const tgr_context *context) {
    return context != NULL ? (int64_t)atomic_load(&context->allocations) : 0;
}

void tgr_parallel(const tgr_compute *compute, int64_t tasks, tgr_task_fn fn, void *job) {
    tgr_pool_run(compute->pool, tasks, fn, job);
}

/* `floats` for each worker, so that every worker's part starts on a 64-byte boundary. */
static tgr_status allocate_scratch(tgr_compute *compute, int64_t floats, float **block, int64_t *rounded) {
    int64_t total;
    if (!tgr_add(floats, 15, rounded) || !tgr_multiply(*rounded / 16 * 16, compute->workers, &total))
        return tgr_fail(TGR_ERROR_OVERFLOW, "%lld floats of scratch for each of %d workers are too many to address",
                        (long long)floats, compute->workers);
    *rounded = *rounded / 16 * 16;
    return tgr_allocate(compute->context, (void **)block, (size_t)total, sizeof(float));
}

/* Puts `block` in the place of the scratch, and the other way round. Called with the pool's lock: tasks of other
 * handles may use the scratch, but not between jobs. */
static void exchange_scratch(tgr_compute *compute, float **block, int64_t *floats) {
    float *old = compute->scratch[0];
    int64_t old_floats = atomic_load(&compute->scratch_floats);
    for (int worker = 0; worker < compute->workers; worker++)
        compute->scratch[worker] = *block != NULL ? *block + worker * *floats : NULL;
    atomic_store(&compute->scratch_floats, *floats);
    *block = old;
    *floats = old_floats;
}

tgr_status tgr_compute_reserve(tgr_compute *compute, int64_t floats) {
    float *block = NULL;
    int64_t block_floats = 0;
    for (int enough = 0; !enough;) { /* memory is allocated without the lock, after which all may be otherwise */
        tgr_pool_lock(compute->pool);
        if (block_floats > atomic_load(&compute->scratch_floats)) exchange_scratch(compute, &block, &block_floats);
        enough = atomic_load(&compute->scratch_floats) >= floats;
        compute->scratch_users += enough;
        tgr_pool_unlock(compute->pool);
        release_scratch(compute->context, block, block_floats);
        if (!enough) TGR_TRY(allocate_scratch(compute, floats, &block, &block_floats));
    }
    return TGR_OK;
}

void tgr_compute_release(tgr_compute *compute) {
    float *block = NULL;
    int64_t floats = 0;
    tgr_pool_lock(compute->pool);
    TGR_ASSERT(compute->scratch_users > 0);
    if (--compute->scratch_users == 0) exchange_scratch(compute, &block, &floats);
    tgr_pool_unlock(compute->pool);
    release_scratch(compute->context, block, floats);
}

void tgr_log(tgr_context *context, const char *format, ...) {
    if (context->log == NULL) return;
    char message[TGR_LOG_BYTES];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    TGR_CALL_HOST;
    context->log(context->log_user, message);
}

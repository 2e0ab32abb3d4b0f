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
static tgr_status set_up(tgr_context *context, const tgr_context_options *options, int64_t scratch_floats) {
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
    return tgr_compute_reserve(compute, scratch_floats);
}

/* All scratch is one block, which begins with worker 0's. */
static void release_scratch(tgr_context *context, float *block, int64_t floats) {
    tgr_release(context, block, (size_t)context->compute.workers * (size_t)floats, sizeof(float));
}

static void destroy(tgr_context *context) {
    tgr_compute *compute = &context->compute;
    if (compute->scratch != NULL) {
        release_scratch(context, compute->scratch[0], compute->scratch_floats);
        tgr_release(context, compute->scratch, (size_t)compute->workers, sizeof *compute->scratch);
    }
    tgr_pool_free(compute->pool);
    pthread_mutex_destroy(&context->scratch_lock);
    tgr_allocator allocator = context->allocator;
    allocator.release(allocator.user, context, sizeof *context);
}

tgr_status tgr_context_build(tgr_context **out, const tgr_context_options *options, const struct tgr_kernels *kernels,
                             int64_t scratch_floats) {
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
    pthread_mutex_init(&context->scratch_lock, NULL);
    context->compute.context = context;
    context->compute.kernels = kernels;

    tgr_status status = TGR_OK;
    TGR_TRY_DONE(set_up(context, &copy, scratch_floats));
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

/* Called with scratch_lock held. */
static tgr_status grow_scratch(tgr_compute *compute, int64_t floats) {
    int64_t rounded, total;
    TGR_ASSERT(pthread_mutex_trylock(&compute->context->scratch_lock) == EBUSY);
    if (!tgr_add(floats, 15, &rounded) || !tgr_multiply(rounded / 16 * 16, compute->workers, &total))
        return tgr_fail(TGR_ERROR_OVERFLOW, "%lld floats of scratch for each of %d workers are too many to address",
                        (long long)floats, compute->workers);
    rounded = rounded / 16 * 16; /* every worker's part starts on a 64-byte boundary */
    void *block;
    TGR_TRY(tgr_allocate(compute->context, &block, (size_t)total, sizeof(float)));

    /* Tasks of other handles may be using the old block: it is replaced between jobs. */
    tgr_pool_lock(compute->pool);
    float *old_block = compute->scratch[0];
    int64_t old_floats = compute->scratch_floats;
    for (int worker = 0; worker < compute->workers; worker++)
        compute->scratch[worker] = (float *)block + worker * rounded;
    compute->scratch_floats = rounded;
    tgr_pool_unlock(compute->pool);
    release_scratch(compute->context, old_block, old_floats);
    return TGR_OK;
}

tgr_status tgr_compute_reserve(tgr_compute *compute, int64_t floats) {
    pthread_mutex_t *lock = &compute->context->scratch_lock;
    pthread_mutex_lock(lock);
    tgr_status status = floats <= compute->scratch_floats ? TGR_OK : grow_scratch(compute, floats);
    TGR_ASSERT(status != TGR_OK || compute->scratch_floats >= floats);
    pthread_mutex_unlock(lock);
    return status;
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

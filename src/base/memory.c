/* SPDX-License-Identifier: MIT */
/* Counted memory from the context's allocator, and the arena that is planned before it is allocated. */
#include "base/memory.h"

#include <stdlib.h>
#include <string.h>
#if defined(__linux__)
#include <sys/mman.h>
#endif

#include "base/assert.h"
#include "base/context.h"
#include "base/status.h"

#define HUGE_PAGE ((size_t)2 << 20)

/* A large block. Where the system gives large pages only on request, this requests them: a processor caches the
 * addresses of about 2000 pages, so activations in small pages cost a tenth of the time or more. NULL when there is no
 * memory. */
static void *allocate_pages(size_t bytes) {
    void *memory = aligned_alloc(HUGE_PAGE, (bytes + HUGE_PAGE - 1) / HUGE_PAGE * HUGE_PAGE);
#if defined(MADV_HUGEPAGE)
    if (memory != NULL) (void)madvise(memory, bytes / HUGE_PAGE * HUGE_PAGE, MADV_HUGEPAGE); /* or small ones */
#endif
    return memory;
}

static void *default_allocate(void *user, size_t bytes, size_t alignment) {
    (void)user;
    if (bytes >= 2 * HUGE_PAGE) return allocate_pages(bytes);
    /* aligned_alloc wants a multiple of the alignment. */
    TGR_ASSERT(alignment == TGR_ALIGNMENT && bytes <= PTRDIFF_MAX - TGR_ALIGNMENT);
    return aligned_alloc(alignment, (bytes + alignment - 1) / alignment * alignment);
}

static void default_release(void *user, void *memory, size_t bytes) {
    (void)user;
    (void)bytes;
    free(memory);
}

const tgr_allocator tgr_default_allocator = {
    .struct_size = sizeof(tgr_allocator), .allocate = default_allocate, .release = default_release};

tgr_status tgr_allocate_from(const tgr_allocator *allocator, void **out, size_t bytes) {
    *out = NULL;
    TGR_REQUIRE(bytes <= PTRDIFF_MAX - TGR_ALIGNMENT, TGR_ERROR_OVERFLOW, "%zu bytes; at most %zu can be allocated",
                bytes, (size_t)(PTRDIFF_MAX - TGR_ALIGNMENT));
    TGR_ASSERT(bytes > 0);
    void *memory = allocator->allocate(allocator->user, bytes, TGR_ALIGNMENT);
    TGR_REQUIRE(memory != NULL, TGR_ERROR_MEMORY, "the allocator returned no memory for %zu bytes", bytes);
    if ((uintptr_t)memory % TGR_ALIGNMENT != 0) {
        allocator->release(allocator->user, memory, bytes);
        return tgr_fail(TGR_ERROR_MEMORY, "the allocator returned %p for %zu bytes; an address aligned to %d is needed",
                        memory, bytes, TGR_ALIGNMENT);
    }
    memset(memory, 0, bytes);
    *out = memory;
    return TGR_OK;
}

tgr_status tgr_allocate(tgr_context *context, void **out, size_t count, size_t size) {
    *out = NULL;
    size_t bytes;
    TGR_REQUIRE(!__builtin_mul_overflow(count, size, &bytes), TGR_ERROR_OVERFLOW,
                "%zu elements of %zu bytes do not fit in a size_t", count, size);
    if (bytes == 0) return TGR_OK;
    TGR_TRY(tgr_allocate_from(&context->allocator, out, bytes));

    atomic_fetch_add(&context->allocations, 1);
    unsigned long long now = atomic_fetch_add(&context->bytes_now, bytes) + bytes;
    unsigned long long peak = atomic_load(&context->bytes_peak);
    while (now > peak && !atomic_compare_exchange_weak(&context->bytes_peak, &peak, now)) continue;
    return TGR_OK;
}

void tgr_release(tgr_context *context, void *memory, size_t count, size_t size) {
    if (memory == NULL) return;
    size_t bytes = count * size;
    TGR_ASSERT(count <= SIZE_MAX / size && bytes <= atomic_load(&context->bytes_now));
    context->allocator.release(context->allocator.user, memory, bytes);
    atomic_fetch_sub(&context->bytes_now, bytes);
}

void *tgr_arena_take(tgr_arena *arena, int64_t rows, int64_t columns, size_t size) {
    int64_t count, bytes, padded, end;
    TGR_ASSERT(arena->used % TGR_ALIGNMENT == 0 && arena->used <= arena->peak);
    if (rows < 0 || columns < 0 || size > INT64_MAX || !tgr_multiply(rows, columns, &count) ||
        !tgr_multiply(count, (int64_t)size, &bytes) || !tgr_add(bytes, TGR_ALIGNMENT - 1, &padded) ||
        !tgr_add(arena->used, padded / TGR_ALIGNMENT * TGR_ALIGNMENT, &end)) {
        arena->overflow = 1;
        return NULL;
    }
    if (end > arena->peak) arena->peak = end;
    if (arena->base == NULL) {
        arena->used = end;
        return NULL;
    }
    if (end > arena->capacity) { /* the two runs took different pieces */
        arena->overflow = 1;
        return NULL;
    }
    void *piece = arena->base + arena->used;
    arena->used = end;
    return piece;
}

int tgr_rows_overlap(int64_t rows, const float *a, int64_t a_columns, const float *b, int64_t b_columns) {
    int64_t a_bytes, b_bytes;
    if (!tgr_multiply(rows, a_columns, &a_bytes) || !tgr_multiply(a_bytes, (int64_t)sizeof(float), &a_bytes)) return 0;
    if (!tgr_multiply(rows, b_columns, &b_bytes) || !tgr_multiply(b_bytes, (int64_t)sizeof(float), &b_bytes)) return 0;
    uintptr_t first = (uintptr_t)a, second = (uintptr_t)b;
    return first < second ? second - first < (uintptr_t)a_bytes : first - second < (uintptr_t)b_bytes;
}

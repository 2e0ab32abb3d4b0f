/* SPDX-License-Identifier: MIT */
/* Memory by way of the context's allocator, always counted, always 64-byte aligned, sizes checked. */
#ifndef TGR_BASE_MEMORY_H
#define TGR_BASE_MEMORY_H

#include "tgrmoe/context.h"

#define TGR_ALIGNMENT 64

/* `count` × `size` zeroed bytes into *out. Fails with ERROR_OVERFLOW or ERROR_MEMORY, then *out is NULL.
 * A count of zero gives NULL and success. */
tgr_status tgr_allocate(tgr_context *context, void **out, size_t count, size_t size);
/* Gives back what tgr_allocate gave (same count and size). NULL is fine. */
void tgr_release(tgr_context *context, void *memory, size_t count, size_t size);

/* The C library's memory, for contexts that were given no allocator. */
extern const tgr_allocator tgr_default_allocator;
/* `bytes` (not 0) zeroed bytes into *out, not counted: for the context itself. */
tgr_status tgr_allocate_from(const tgr_allocator *allocator, void **out, size_t bytes);

/* *out = a × b or a + b, or false when it does not fit. All non-negative. */
static inline int tgr_multiply(int64_t a, int64_t b, int64_t *out) {
    return !__builtin_mul_overflow(a, b, out);
}
static inline int tgr_add(int64_t a, int64_t b, int64_t *out) {
    return !__builtin_add_overflow(a, b, out);
}

/* An arena planned in two passes over the same code: first with `base` NULL, when it only counts; then with memory.
 * Each piece starts on a 64-byte boundary. `overflow` is set when a size was negative or did not fit. */
typedef struct tgr_arena {
    char *base;
    int64_t used;     /* bytes; set it back to where it was, and what comes next lies over what came since */
    int64_t peak;     /* the most that `used` ever was */
    int64_t capacity; /* bytes behind base */
    int overflow;
} tgr_arena;

/* A piece for rows × columns elements of `size` bytes; NULL while counting. */
void *tgr_arena_take(tgr_arena *arena, int64_t rows, int64_t columns, size_t size);

static inline float *tgr_arena_floats(tgr_arena *arena, int64_t rows, int64_t columns) {
    return (float *)tgr_arena_take(arena, rows, columns, sizeof(float));
}

#endif

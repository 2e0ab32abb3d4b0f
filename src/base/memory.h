/* SPDX-License-Identifier: MIT */
/* Memory from the context's allocator: always counted, always 64-byte aligned, sizes checked. */
#ifndef TGR_BASE_MEMORY_H
#define TGR_BASE_MEMORY_H

#include "base/assert.h"
#include "tgrmoe/context.h"

#define TGR_ALIGNMENT 64

/* `count` × `size` zeroed bytes into *out. On failure, ERROR_OVERFLOW or ERROR_MEMORY, *out is NULL. A count of zero
 * succeeds with NULL. */
tgr_status tgr_allocate(tgr_context *context, void **out, size_t count, size_t size);
/* Releases what tgr_allocate returned, given the same count and size. NULL is allowed. */
void tgr_release(tgr_context *context, void *memory, size_t count, size_t size);

/* The C library's memory, for contexts that were given no allocator. */
extern const tgr_allocator tgr_default_allocator;
/* `bytes` (not 0) zeroed bytes into *out, not counted: for the context itself. */
tgr_status tgr_allocate_from(const tgr_allocator *allocator, void **out, size_t bytes);

/* *out = a × b or a + b; false when it does not fit. Neither may be negative. */
static inline int tgr_multiply(int64_t a, int64_t b, int64_t *out) {
    TGR_ASSERT(a >= 0 && b >= 0);
    return !__builtin_mul_overflow(a, b, out);
}
static inline int tgr_add(int64_t a, int64_t b, int64_t *out) {
    TGR_ASSERT(a >= 0 && b >= 0);
    return !__builtin_add_overflow(a, b, out);
}
/* Whether a [rows, a_columns] and b [rows, b_columns] share memory. Sizes that do not fit are for others to catch. */
int tgr_rows_overlap(int64_t rows, const float *a, int64_t a_columns, const float *b, int64_t b_columns);

/* An arena planned by running the same code twice: first with `base` NULL, when it only counts; then with memory. Each
 * piece starts on a 64-byte boundary. `overflow` is set when a size was negative or did not fit. */
typedef struct tgr_arena {
    char *base;
    int64_t used;     /* bytes; setting it back lets the next pieces share the memory of those taken since */
    int64_t peak;     /* the largest value that `used` has had */
    int64_t capacity; /* bytes at base */
    int overflow;
} tgr_arena;

/* A piece for rows × columns elements of `size` bytes; NULL while counting. */
void *tgr_arena_take(tgr_arena *arena, int64_t rows, int64_t columns, size_t size);

static inline float *tgr_arena_floats(tgr_arena *arena, int64_t rows, int64_t columns) {
    return (float *)tgr_arena_take(arena, rows, columns, sizeof(float));
}

#endif

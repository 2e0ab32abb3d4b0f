/* SPDX-License-Identifier: MIT */
/* zlib frees memory without giving its size, so each piece stores its own. */
#include "checkpoint/deflate_memory.h"

#include <string.h>

#include "base/memory.h"

static voidpf allocate(voidpf context, uInt items, uInt size) {
    size_t bytes;
    void *memory;
    if (__builtin_mul_overflow((size_t)items, (size_t)size, &bytes) ||
        __builtin_add_overflow(bytes, (size_t)TGR_ALIGNMENT, &bytes) ||
        tgr_allocate(context, &memory, 1, bytes) != TGR_OK)
        return Z_NULL;
    memcpy(memory, &bytes, sizeof bytes);
    return (char *)memory + TGR_ALIGNMENT;
}

static void release(voidpf context, voidpf piece) {
    char *memory = (char *)piece - TGR_ALIGNMENT;
    size_t bytes;
    memcpy(&bytes, memory, sizeof bytes);
    tgr_release(context, memory, 1, bytes);
}

void tgr_deflate_memory(z_stream *stream, tgr_context *context) {
    stream->zalloc = allocate;
    stream->zfree = release;
    stream->opaque = context;
}

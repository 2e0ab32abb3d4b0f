/* SPDX-License-Identifier: MIT */
/* zlib's memory from a context's allocator. */
#ifndef TGR_CHECKPOINT_DEFLATE_MEMORY_H
#define TGR_CHECKPOINT_DEFLATE_MEMORY_H

#include <zlib.h>

#include "tgrmoe/context.h"

/* Makes `stream` allocate from `context`; call it before deflateInit or inflateInit. */
void tgr_deflate_memory(z_stream *stream, tgr_context *context);

#endif

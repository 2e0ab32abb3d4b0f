/* SPDX-License-Identifier: MIT */
/* zlib's memory by way of a context's allocator. */
#ifndef TGR_CHECKPOINT_DEFLATE_MEMORY_H
#define TGR_CHECKPOINT_DEFLATE_MEMORY_H

#include <zlib.h>

#include "tgrmoe/context.h"

/* Makes `stream` ask `context` for memory; before deflateInit or inflateInit. */
void tgr_deflate_memory(z_stream *stream, tgr_context *context);

#endif

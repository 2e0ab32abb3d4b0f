/* SPDX-License-Identifier: MIT */
/* Reading a file, packed by gzip or not, without trusting a size that it claims. */
#ifndef TOOL_DATA_BYTES_H
#define TOOL_DATA_BYTES_H

#include <stddef.h>
#include <stdint.h>
#include <zlib.h>

/* Opens `path`; a failure names it. */
int bytes_open(gzFile *out, const char *path);
/* Reads up to `size` bytes into new memory at *out, which grows as bytes arrive, and says how many came. Damaged gzip
 * data fail. Free *out with free(). */
int bytes_read(gzFile file, const char *path, size_t size, uint8_t **out, size_t *got);

#endif

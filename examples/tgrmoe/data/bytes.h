/* SPDX-License-Identifier: MIT */
/* Reading a file, compressed by gzip or not, without trusting the size that it claims. */
#ifndef TOOL_DATA_BYTES_H
#define TOOL_DATA_BYTES_H

#include <stddef.h>
#include <stdint.h>
#include <zlib.h>

/* Opens `path`; the message of a failure names it. */
int bytes_open(gzFile *out, const char *path);
/* Reads up to `size` bytes into newly allocated memory, which grows as bytes arrive; *got is how many there were.
 * Damaged gzip data is a failure. Release *out with free(). */
int bytes_read(gzFile file, const char *path, size_t size, uint8_t **out, size_t *got);

#endif

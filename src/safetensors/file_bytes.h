/* SPDX-License-Identifier: MIT */
/* Where a file's bytes are: in a file that is open, or in the caller's memory. A file is read piece by piece and never
 * mapped, since reading from a mapped file that another process cuts short ends this one. */
#ifndef TGR_SAFETENSORS_FILE_BYTES_H
#define TGR_SAFETENSORS_FILE_BYTES_H

#include "tgrmoe/context.h"

typedef struct tgr_file_bytes {
    tgr_context *context;
    size_t size;
    const unsigned char *memory; /* [size]; NULL if in a file */
    int descriptor;              /* -1 if in memory */
    char *path;                  /* of the file, for messages; NULL if in memory */
} tgr_file_bytes;

/* On failure there is nothing to close. */
tgr_status tgr_file_bytes_open(tgr_file_bytes *file, tgr_context *context, const char *path);
tgr_file_bytes tgr_file_bytes_of_memory(tgr_context *context, const void *bytes, size_t size);
/* Reads `count` bytes from `offset` on, which must lie within the size. ERROR_FILE_TRUNCATED when the file has become
 * shorter than it was when it was opened. On failure `to` holds rubbish. */
tgr_status tgr_file_bytes_read(const tgr_file_bytes *file, size_t offset, void *to, size_t count);
void tgr_file_bytes_close(tgr_file_bytes *file);

#endif

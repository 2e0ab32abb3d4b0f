/* SPDX-License-Identifier: MIT */
/* A whole file as bytes: mapped if the system can, otherwise read into memory. */
#ifndef TGR_SAFETENSORS_FILE_BYTES_H
#define TGR_SAFETENSORS_FILE_BYTES_H

#include "tgrmoe/context.h"

typedef struct tgr_file_bytes {
    tgr_context *context;
    const unsigned char *bytes; /* [size]; NULL when the file is empty */
    size_t size;
    void *mapped; /* what to unmap, or NULL */
    void *read;   /* what to release, or NULL */
} tgr_file_bytes;

/* With `map` 0 the file is read even if it could be mapped. On failure there is nothing to close. */
tgr_status tgr_file_bytes_open(tgr_file_bytes *file, tgr_context *context, const char *path, int map);
void tgr_file_bytes_close(tgr_file_bytes *file);

#endif

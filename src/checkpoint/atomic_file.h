/* SPDX-License-Identifier: MIT */
/* A file that takes the place of another at once: written beside it, synced, renamed over it, the directory synced. */
#ifndef TGR_CHECKPOINT_ATOMIC_FILE_H
#define TGR_CHECKPOINT_ATOMIC_FILE_H

#include <stddef.h>
#include <stdint.h>

#include "tgrmoe/common.h"

#define TGR_FILE_NAME_BYTES 256

typedef struct tgr_atomic_file {
    const char *path; /* the caller's, for messages */
    int directory;    /* descriptors, -1 when closed */
    int file;
    char name[TGR_FILE_NAME_BYTES];      /* in the directory */
    char temporary[TGR_FILE_NAME_BYTES]; /* in the directory; "" when there is none */
} tgr_atomic_file;

/* Makes the file beside. A symbolic link is followed. An existing file must be a regular one that may be written; the
 * new file gets its permissions, or those that the process gives new files. `path` must stay until the end. On failure
 * there is nothing to abandon. */
tgr_status tgr_atomic_file_open(tgr_atomic_file *file, const char *path);
tgr_status tgr_atomic_file_write(tgr_atomic_file *file, uint64_t offset, const void *bytes, size_t count);
/* Syncs the file and puts it in place. */
tgr_status tgr_atomic_file_commit(tgr_atomic_file *file);
/* Removes what was written unless it is in place. Harmless when called again. */
void tgr_atomic_file_close(tgr_atomic_file *file);

#endif

/* SPDX-License-Identifier: MIT */
/* A file that replaces another atomically: written next to it, synced, renamed over it, and the directory synced. */
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

/* Creates the temporary file. A symbolic link is followed. An existing file must be regular and writable; the new file
 * gets its permissions, or those of any new file of the process. `path` must stay valid until the end. On failure there
 * is nothing to close. */
tgr_status tgr_atomic_file_open(tgr_atomic_file *file, const char *path);
tgr_status tgr_atomic_file_write(tgr_atomic_file *file, uint64_t offset, const void *bytes, size_t count);
/* Syncs the file and puts it in place. */
tgr_status tgr_atomic_file_commit(tgr_atomic_file *file);
/* Removes what was written unless it was committed. May be called twice. */
void tgr_atomic_file_close(tgr_atomic_file *file);

#endif

/* SPDX-License-Identifier: MIT */
/* The contents of a file as a list of named tensors in memory: all that reading and writing know of a checkpoint. */
#ifndef TGR_CHECKPOINT_ENTRY_H
#define TGR_CHECKPOINT_ENTRY_H

#include "checkpoint/section.h"
#include "tgrmoe/context.h"

enum {
    TGR_ENTRY_OPTIONAL = 1, /* the file may lack it */
    TGR_ENTRY_OWN = 2,      /* `data` is the checkpoint's own memory, written before everything is checked */
    TGR_ENTRY_FLEXIBLE = 4  /* one dimension, which may be smaller in the file; dims and bytes become the file's */
};

typedef struct tgr_entry {
    tgr_section_header header; /* name, type, ndim, dims, raw_bytes */
    unsigned flags;
    void *data;
    int found;    /* whether the file has it, in the right shape */
    void *staged; /* raw_bytes read from the file, to be copied to `data` (NULL for OWN) */
} tgr_entry;

typedef struct tgr_entry_list {
    tgr_context *context; /* outlives the list */
    tgr_entry *entries;
    size_t count, capacity;
} tgr_entry_list;

/* Adds a tensor called <object><part>, or <object><part><tensor>; `tensor` may be NULL. */
tgr_status tgr_entry_add(tgr_entry_list *list, const char *object, const char *part, const char *tensor, int type,
                         int ndim, const int64_t *dims, void *data, unsigned flags);
void tgr_entries_free(tgr_entry_list *list);

tgr_status tgr_entries_write(const tgr_entry_list *list, const char *path);

/* Reads and checks the whole file; what the list asks for is staged. Sections that are not in the list are checked and
 * skipped, or, if `strict` and their object is in the list, refused. For a sound file with other contents the result is
 * TGR_OK and `misfit` says what is wrong (else it is ""), so that the caller can give a better explanation. */
#define TGR_MISFIT_BYTES 400
tgr_status tgr_entries_read(tgr_entry_list *list, const char *path, int strict, char misfit[TGR_MISFIT_BYTES]);
/* Copies what is staged to `data`. */
void tgr_entries_commit(const tgr_entry_list *list);

#endif

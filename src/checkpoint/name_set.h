/* SPDX-License-Identifier: MIT */
/* The names seen so far, to find duplicates. */
#ifndef TGR_CHECKPOINT_NAME_SET_H
#define TGR_CHECKPOINT_NAME_SET_H

#include <stddef.h>
#include <stdint.h>

#include "tgrmoe/context.h"

typedef struct tgr_name_set {
    tgr_context *context; /* set by the user; the rest starts as zero */
    uint64_t *hashes;     /* [capacity], open addressing, 0 where free */
    size_t capacity;      /* a power of two, or 0 */
    size_t count;
} tgr_name_set;

/* Adds `name`; *known says whether it was in the set. Names are compared by 64-bit hashes: two different ones are taken
 * for the same with probability 2^-64. */
tgr_status tgr_name_set_add(tgr_name_set *set, const char *name, int *known);
void tgr_name_set_free(tgr_name_set *set);

#endif

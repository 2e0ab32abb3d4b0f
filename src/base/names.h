/* SPDX-License-Identifier: MIT */
/* Lists of names separated by bars, "one|two|three", and the name that is nearest to a misspelt one. */
#ifndef TGR_BASE_NAMES_H
#define TGR_BASE_NAMES_H

#include <stddef.h>
#include <stdint.h>

/* The index of `name` in the list, or -1. */
int64_t tgr_names_find(const char *names, const char *name);
/* The name at that index, which must exist, and its length. */
const char *tgr_names_at(const char *names, int64_t index, size_t *length);

/* The nearest of the names that were offered, if one is near enough: "vmeo" is near "vmoe". */
typedef struct tgr_nearest {
    const char *text; /* the misspelt name */
    const char *name; /* [length], or NULL if none is near so far */
    size_t length;
    size_t distance;
} tgr_nearest;

void tgr_nearest_offer(tgr_nearest *nearest, const char *name, size_t length);
/* Offers every name of a list. */
void tgr_nearest_offer_all(tgr_nearest *nearest, const char *names);
/* "; did you mean 'name'?", or "" if none is near. */
#define TGR_HINT_BYTES 64
const char *tgr_nearest_hint(const tgr_nearest *nearest, char hint[TGR_HINT_BYTES]);

#endif

/* SPDX-License-Identifier: MIT */
/* The backbone's features of images seen before, by the host's image id. Fills up and then no longer changes. */
#ifndef TGR_TEACHER_CACHE_H
#define TGR_TEACHER_CACHE_H

#include "base/memory.h"

typedef struct tgr_feature_cache tgr_feature_cache;

/* A cache of entries of `entry_floats` floats, within `budget` bytes of memory in all. */
tgr_status tgr_feature_cache_create(tgr_feature_cache **out, tgr_context *context, int64_t entry_floats,
                                    int64_t budget);
void tgr_feature_cache_free(tgr_feature_cache *cache);
/* How many entries the budget allows. */
int64_t tgr_feature_cache_capacity(const tgr_feature_cache *cache);
/* The entry of that id (0 or more), or NULL. */
const float *tgr_feature_cache_find(const tgr_feature_cache *cache, int64_t id);
/* Forgets all entries; their memory stays for those to come. */
void tgr_feature_cache_clear(tgr_feature_cache *cache);
/* Allocates memory for `entries` more, or for as many as the budget allows: inserts that follow cannot fail. */
tgr_status tgr_feature_cache_reserve(tgr_feature_cache *cache, int64_t entries);
/* A new entry for the caller to fill, within what was reserved; NULL when the cache is full or has the id. */
float *tgr_feature_cache_insert(tgr_feature_cache *cache, int64_t id);

#endif

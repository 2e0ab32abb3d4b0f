/* SPDX-License-Identifier: MIT */
/* What the backbone gave for images seen before, by the host's image id. Fills up and then stays as it is. */
#ifndef TGR_TEACHER_CACHE_H
#define TGR_TEACHER_CACHE_H

#include "base/memory.h"

typedef struct tgr_feature_cache tgr_feature_cache;

/* A cache of entries of `entry_floats` floats, with not more than `budget` bytes of memory for all. */
tgr_status tgr_feature_cache_create(tgr_feature_cache **out, tgr_context *context, int64_t entry_floats,
                                    int64_t budget);
void tgr_feature_cache_free(tgr_feature_cache *cache);
/* How many entries the budget allows. */
int64_t tgr_feature_cache_capacity(const tgr_feature_cache *cache);
/* The entry of that id (0 or more), or NULL. */
const float *tgr_feature_cache_find(const tgr_feature_cache *cache, int64_t id);
/* Allocates memory for so many more entries, or for as many as are allowed: the inserts that follow cannot fail. */
tgr_status tgr_feature_cache_reserve(tgr_feature_cache *cache, int64_t entries);
/* A new entry to be filled, within what was reserved; NULL when the cache is full or has the id already. */
float *tgr_feature_cache_insert(tgr_feature_cache *cache, int64_t id);

#endif

/* SPDX-License-Identifier: MIT */
/* A hash set with open addressing. */
#include "checkpoint/name_set.h"

#include "base/assert.h"
#include "base/memory.h"
#include "base/status.h"

#define FIRST_CAPACITY 64

/* FNV-1a (Fowler, Noll and Vo), then mixed so that the low bits depend on all bits. Never 0. */
static uint64_t hash_of(const char *name) {
    uint64_t hash = 0xCBF29CE484222325u;
    for (; *name; name++) hash = (hash ^ (unsigned char)*name) * 0x100000001B3u;
    hash = (hash ^ hash >> 32) * 0xD6E8FEB86659FD93u;
    hash ^= hash >> 32;
    return hash != 0 ? hash : 1;
}

/* The index of `hash`, or of the free place where it would go. */
static size_t place_of(const uint64_t *hashes, size_t capacity, uint64_t hash) {
    TGR_ASSERT(hash != 0 && capacity > 0 && (capacity & (capacity - 1)) == 0);
    size_t place = (size_t)hash & (capacity - 1);
    while (hashes[place] != 0 && hashes[place] != hash) place = (place + 1) & (capacity - 1);
    return place;
}

static tgr_status grow(tgr_name_set *set) {
    const size_t capacity = set->capacity == 0 ? FIRST_CAPACITY : 2 * set->capacity;
    uint64_t *hashes = NULL;
    TGR_TRY(tgr_allocate(set->context, (void **)&hashes, capacity, sizeof *hashes));
    for (size_t i = 0; i < set->capacity; i++)
        if (set->hashes[i] != 0) hashes[place_of(hashes, capacity, set->hashes[i])] = set->hashes[i];
    tgr_release(set->context, set->hashes, set->capacity, sizeof *set->hashes);
    set->hashes = hashes;
    set->capacity = capacity;
    return TGR_OK;
}

tgr_status tgr_name_set_add(tgr_name_set *set, const char *name, int *known) {
    if (2 * set->count >= set->capacity) TGR_TRY(grow(set));
    TGR_ASSERT(set->count < set->capacity); /* there is always a free place */
    const uint64_t hash = hash_of(name);
    const size_t place = place_of(set->hashes, set->capacity, hash);
    *known = set->hashes[place] == hash;
    if (!*known) set->count++;
    set->hashes[place] = hash;
    return TGR_OK;
}

void tgr_name_set_free(tgr_name_set *set) {
    tgr_release(set->context, set->hashes, set->capacity, sizeof *set->hashes);
    *set = (tgr_name_set){.context = set->context};
}

/* SPDX-License-Identifier: MIT */
/* The feature cache: a hash table from id to entry number (open addressing), entries in chunks that are allocated as
 * needed. */
#include "teacher/cache.h"

#include <string.h>

#include "base/assert.h"
#include "base/context.h"
#include "base/status.h"

#define CHUNK_BYTES (4 * 1024 * 1024)

typedef struct cache_slot {
    uint64_t key; /* id + 1; 0 is an empty slot */
    int64_t entry;
} cache_slot;

/* A table has fewer than four slots per entry. */
#define OVERHEAD_BYTES (4 * (int64_t)sizeof(cache_slot) + (int64_t)sizeof(float *))

struct tgr_feature_cache {
    tgr_context *context;
    int64_t entry_floats;
    int64_t capacity, entries;
    cache_slot *slots; /* [slot_count], a power of two, at most half full */
    int64_t slot_count;
    float **chunks; /* [chunk_count], each [chunk_entries, entry_floats], NULL until needed */
    int64_t chunk_count, chunk_entries, chunks_made;
};

static tgr_status set_up(tgr_feature_cache *cache) {
    for (cache->slot_count = 1; cache->slot_count < 2 * cache->capacity;) cache->slot_count *= 2;
    cache->chunk_entries = CHUNK_BYTES / (int64_t)sizeof(float) / cache->entry_floats;
    if (cache->chunk_entries < 1) cache->chunk_entries = 1;
    if (cache->chunk_entries > cache->capacity) cache->chunk_entries = cache->capacity;
    if (cache->capacity == 0) return TGR_OK;
    cache->chunk_count = (cache->capacity + cache->chunk_entries - 1) / cache->chunk_entries;
    TGR_TRY(tgr_allocate(cache->context, (void **)&cache->slots, (size_t)cache->slot_count, sizeof *cache->slots));
    return tgr_allocate(cache->context, (void **)&cache->chunks, (size_t)cache->chunk_count, sizeof *cache->chunks);
}

tgr_status tgr_feature_cache_create(tgr_feature_cache **out, tgr_context *context, int64_t entry_floats,
                                    int64_t budget) {
    int64_t entry_bytes;
    TGR_REQUIRE(tgr_multiply(entry_floats, (int64_t)sizeof(float), &entry_bytes) &&
                    tgr_add(entry_bytes, OVERHEAD_BYTES, &entry_bytes),
                TGR_ERROR_OVERFLOW, "%lld features of one image are too many to address", (long long)entry_floats);
    tgr_feature_cache *cache = NULL;
    TGR_TRY(tgr_allocate(context, (void **)&cache, 1, sizeof *cache));
    cache->context = context;
    cache->entry_floats = entry_floats;
    cache->capacity = budget / entry_bytes;
    tgr_status status = TGR_OK;
    TGR_TRY_DONE(set_up(cache));
    *out = cache;
done:
    if (status != TGR_OK) tgr_feature_cache_free(cache);
    return status;
}

/* The last chunk is only as long as the capacity needs. */
static size_t chunk_floats(const tgr_feature_cache *cache, int64_t chunk) {
    int64_t left = cache->capacity - chunk * cache->chunk_entries;
    return (size_t)((left < cache->chunk_entries ? left : cache->chunk_entries) * cache->entry_floats);
}

void tgr_feature_cache_free(tgr_feature_cache *cache) {
    if (cache == NULL) return;
    for (int64_t i = 0; i < cache->chunks_made; i++)
        tgr_release(cache->context, cache->chunks[i], chunk_floats(cache, i), sizeof(float));
    tgr_release(cache->context, cache->chunks, (size_t)cache->chunk_count, sizeof *cache->chunks);
    tgr_release(cache->context, cache->slots, (size_t)cache->slot_count, sizeof *cache->slots);
    tgr_release(cache->context, cache, 1, sizeof *cache);
}

int64_t tgr_feature_cache_capacity(const tgr_feature_cache *cache) {
    return cache->capacity;
}

/* The slot that holds the id, or the empty one where it would go. */
static cache_slot *slot_of(const tgr_feature_cache *cache, int64_t id) {
    TGR_ASSERT(id >= 0 && cache->entries < cache->slot_count);         /* there is always an empty slot */
    uint64_t hash = ((uint64_t)id + 1) * UINT64_C(0x9E3779B97F4A7C15); /* Fibonacci hashing, then its high bits */
    uint64_t mask = (uint64_t)cache->slot_count - 1, at = (hash ^ hash >> 32) & mask;
    while (cache->slots[at].key != 0 && cache->slots[at].key != (uint64_t)id + 1) at = (at + 1) & mask;
    return &cache->slots[at];
}

static float *entry_at(const tgr_feature_cache *cache, int64_t entry) {
    TGR_ASSERT(entry >= 0 && entry < cache->entries && entry / cache->chunk_entries < cache->chunks_made);
    return cache->chunks[entry / cache->chunk_entries] + entry % cache->chunk_entries * cache->entry_floats;
}

const float *tgr_feature_cache_find(const tgr_feature_cache *cache, int64_t id) {
    if (cache->capacity == 0) return NULL;
    const cache_slot *slot = slot_of(cache, id);
    return slot->key != 0 ? entry_at(cache, slot->entry) : NULL;
}

void tgr_feature_cache_clear(tgr_feature_cache *cache) {
    if (cache->capacity > 0) memset(cache->slots, 0, (size_t)cache->slot_count * sizeof *cache->slots);
    cache->entries = 0;
}

tgr_status tgr_feature_cache_reserve(tgr_feature_cache *cache, int64_t entries) {
    int64_t wanted = cache->capacity - cache->entries < entries ? cache->capacity : cache->entries + entries;
    while (cache->chunks_made * cache->chunk_entries < wanted) {
        TGR_TRY(tgr_allocate(cache->context, (void **)&cache->chunks[cache->chunks_made],
                             chunk_floats(cache, cache->chunks_made), sizeof(float)));
        cache->chunks_made++;
    }
    return TGR_OK;
}

float *tgr_feature_cache_insert(tgr_feature_cache *cache, int64_t id) {
    if (cache->entries == cache->capacity) return NULL;
    cache_slot *slot = slot_of(cache, id);
    if (slot->key != 0) return NULL;
    *slot = (cache_slot){(uint64_t)id + 1, cache->entries++};
    return entry_at(cache, slot->entry);
}

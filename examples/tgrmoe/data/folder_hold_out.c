/* SPDX-License-Identifier: MIT */
/* Images are ranked by the hashes of their names. */
#include "data/folder_hold_out.h"

#include <stdlib.h>
#include <string.h>

#include "failure.h"

typedef struct ranked {
    uint64_t hash;
    const char *name;
    int64_t place;
} ranked;

/* FNV-1a with a final mix, because it mixes the high bits poorly. */
static uint64_t hash_name(const char *name) {
    uint64_t hash = 0xCBF29CE484222325U;
    for (; *name; name++) hash = (hash ^ (unsigned char)*name) * 0x100000001B3U;
    hash = (hash ^ hash >> 30) * 0xBF58476D1CE4E5B9U;
    hash = (hash ^ hash >> 27) * 0x94D049BB133111EBU;
    return hash ^ hash >> 31;
}

static int compare_ranks(const void *left, const void *right) {
    const ranked *a = left, *b = right;
    if (a->hash != b->hash) return a->hash < b->hash ? -1 : 1;
    return strcmp(a->name, b->name);
}

/* Marks which of files first … end-1, all of one class, are held out. */
static void choose(const folder_files *from, int64_t first, int64_t end, double share, ranked *ranks, char *chosen) {
    const int64_t count = end - first;
    int64_t held = (int64_t)((double)count * share + 0.5);
    if (held == 0 && count > 1) held = 1;
    if (held == count) held--;
    for (int64_t i = 0; i < count; i++) {
        const char *name = from->files[first + i].name;
        ranks[i] = (ranked){hash_name(name), name, first + i};
    }
    qsort(ranks, (size_t)count, sizeof *ranks, compare_ranks);
    for (int64_t i = 0; i < held; i++) chosen[ranks[i].place] = 1;
}

int folder_hold_out(folder_files *out, folder_files *from, double share) {
    int result = 0;
    int64_t kept = 0;
    folder_files held = {0};
    const size_t count = (size_t)from->count;
    ranked *ranks = calloc(count, sizeof *ranks);
    char *chosen = calloc(count, 1);
    held.files = calloc(count, sizeof *held.files);
    if (!ranks || !chosen || !held.files) TRY(fail_with("no memory for the names of files"));
    held.capacity = from->count;
    for (int64_t first = 0, end = 0; first < from->count; first = end) {
        while (end < from->count && from->files[end].label == from->files[first].label) end++;
        choose(from, first, end, share, ranks, chosen);
    }
    for (int64_t i = 0; i < from->count; i++) {
        folder_file *to = chosen[i] ? &held.files[held.count++] : &from->files[kept++];
        *to = from->files[i];
    }
    from->count = kept;
    *out = held;
    held = (folder_files){0};
done:
    free(ranks);
    free(chosen);
    folder_files_free(&held);
    return result;
}

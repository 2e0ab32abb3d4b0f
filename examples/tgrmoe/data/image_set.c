/* SPDX-License-Identifier: MIT */
/* An image in a file is moved by moving its name. */
#include "data/image_set.h"

#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "data/shuffle.h"
#include "failure.h"

/* Image `from` replaces image `to`, which is no longer needed. */
static void move_image(image_set *set, int64_t to, int64_t from) {
    if (to == from) return;
    set->labels[to] = set->labels[from];
    if (set->root) {
        free(set->files.files[to].name);
        set->files.files[to] = set->files.files[from];
        set->files.files[from].name = NULL;
    } else {
        const size_t bytes = (size_t)(set->channels * set->size * set->size);
        memmove(set->pixels + (size_t)to * bytes, set->pixels + (size_t)from * bytes, bytes);
    }
}

void image_set_keep_labels(image_set *set, int64_t first, int64_t last) {
    int64_t kept = 0;
    for (int64_t i = 0; i < set->count; i++) {
        if (set->labels[i] >= first && set->labels[i] <= last) move_image(set, kept++, i);
    }
    set->count = kept;
}

void image_set_limit(image_set *set, int64_t count) {
    if (count >= set->count) return;
    for (int64_t i = 0; i < count && set->root; i++) move_image(set, i, i * set->count / count);
    set->count = count;
}

int image_set_mix(image_set *set) {
    if (!set->root) return 0;
    const size_t count = (size_t)set->count;
    int64_t *order = calloc(count, sizeof *order);
    folder_file *files = calloc(count, sizeof *files);
    if (!order || !files) {
        free(order);
        free(files);
        return fail_with("no memory for the order of %zu images", count);
    }
    shuffle(order, set->count, 0, 0);
    memcpy(files, set->files.files, count * sizeof *files);
    for (size_t i = 0; i < count; i++) {
        set->files.files[i] = files[order[i]];
        set->labels[i] = files[order[i]].label;
    }
    free(order);
    free(files);
    return 0;
}

int image_set_check_labels(const image_set *set, const char *what, int64_t classes) {
    for (int64_t i = 0; i < set->count; i++) {
        if (set->labels[i] >= classes) {
            return fail_with("label %d of %s image %lld is too high; it must be 0 to %lld", set->labels[i], what,
                             (long long)i, (long long)(classes - 1));
        }
    }
    return 0;
}

/* For images in files, names and sizes stand for the bytes. */
uint32_t image_set_checksum(const image_set *set) {
    uLong sum = crc32_z(0, NULL, 0);
    for (int64_t i = 0; i < set->count; i++) {
        const int32_t label = set->labels[i];
        const uint8_t bytes[4] = {(uint8_t)label, (uint8_t)(label >> 8), (uint8_t)(label >> 16),
                                  (uint8_t)(label >> 24)};
        sum = crc32_z(sum, bytes, sizeof bytes);
    }
    if (!set->root) {
        return (uint32_t)crc32_z(sum, set->pixels, (size_t)(set->count * set->channels * set->size * set->size));
    }
    for (int64_t i = 0; i < set->count; i++) {
        const folder_file *file = &set->files.files[i];
        sum = crc32_z(sum, (const uint8_t *)file->name, strlen(file->name) + 1);
        sum = crc32_z(sum, (const uint8_t *)&file->bytes, sizeof file->bytes);
    }
    return (uint32_t)sum;
}

void image_set_free(image_set *set) {
    free(set->pixels);
    free(set->labels);
    free(set->root);
    folder_files_free(&set->files);
    *set = (image_set){0};
}

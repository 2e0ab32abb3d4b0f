/* SPDX-License-Identifier: MIT */
/* The binary files of CIFAR-10 and CIFAR-100: records of one label (CIFAR-100: coarse and fine) and 3072 pixels, the
 * red plane first, then green, then blue. */
#include "data/cifar.h"

#include <stdlib.h>
#include <string.h>

#include "data/bytes.h"
#include "failure.h"

enum { CHANNELS = 3, SIZE = 32, PIXELS = CHANNELS * SIZE * SIZE, COARSE_CLASSES = 20 };
/* Ten times what the largest of these files holds. */
static const size_t FILE_MOST = (size_t)5000000 * PIXELS / 10;

static int check_records(const char *path, const uint8_t *bytes, size_t records, size_t label_bytes, int classes) {
    const size_t record = label_bytes + PIXELS;
    for (size_t i = 0; i < records; i++) {
        for (size_t k = 0; k < label_bytes; k++) {
            const int allowed = k + 1 == label_bytes ? classes : COARSE_CLASSES;
            const uint8_t label = bytes[i * record + k];
            if (label >= allowed) {
                return fail_with("%s: byte %zu: expected a label from 0 to %d, found %u", path, i * record + k,
                                 allowed - 1, label);
            }
        }
    }
    return 0;
}

static int append_records(image_set *set, const uint8_t *bytes, size_t records, size_t label_bytes) {
    const size_t before = (size_t)set->count, after = before + records;
    uint8_t *pixels = realloc(set->pixels, after * PIXELS);
    if (pixels) set->pixels = pixels;
    int32_t *labels = realloc(set->labels, after * sizeof *labels);
    if (labels) set->labels = labels;
    if (!pixels || !labels) return fail_with("no memory for %zu images", after);
    for (size_t i = 0; i < records; i++) {
        const uint8_t *record = bytes + i * (label_bytes + PIXELS);
        labels[before + i] = record[label_bytes - 1];
        memcpy(pixels + (before + i) * PIXELS, record + label_bytes, PIXELS);
    }
    set->count = (int64_t)after;
    return 0;
}

static int read_file(image_set *set, const char *path, size_t label_bytes, int classes) {
    int result = 0;
    const size_t record = label_bytes + PIXELS;
    uint8_t *bytes = NULL;
    size_t got = 0;
    gzFile file = NULL;
    TRY(bytes_open(&file, path));
    TRY(bytes_read(file, path, FILE_MOST, &bytes, &got));
    if (got == 0) TRY(fail_with("%s: byte 0: expected records of %zu bytes, found an empty file", path, record));
    if (got == FILE_MOST) TRY(fail_with("%s: is larger than any CIFAR file", path));
    if (got % record != 0) {
        TRY(fail_with("%s: ends at byte %zu, %zu bytes into record %zu; a record has %zu bytes", path, got,
                      got % record, got / record + 1, record));
    }
    TRY(check_records(path, bytes, got / record, label_bytes, classes));
    TRY(append_records(set, bytes, got / record, label_bytes));
done:
    free(bytes);
    if (file) gzclose(file);
    return result;
}

int cifar_read(image_set *out, const char *const *paths, int files, int label_bytes, int classes) {
    int result = 0;
    image_set set = {.channels = CHANNELS, .size = SIZE};
    for (int i = 0; i < files; i++) TRY(read_file(&set, paths[i], (size_t)label_bytes, classes));
    *out = set;
    set = (image_set){0};
done:
    image_set_free(&set);
    return result;
}

/* SPDX-License-Identifier: MIT */
/* Reads the files that make_goldens.py writes: trusted test data on a little-endian machine. */
#include "golden/golden.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support.h"

/* Reads `bytes` bytes; false at the end of the file. */
static int read_bytes(FILE *file, void *target, size_t bytes) {
    return fread(target, 1, bytes, file) == bytes;
}

static void read_record(FILE *file, uint32_t name_length, golden_record *record) {
    static const size_t sizes[] = {sizeof(float), sizeof(double), sizeof(int32_t), 1};
    uint32_t header[2];
    uint64_t dim;
    assert_true(name_length < sizeof record->name);
    assert_true(read_bytes(file, record->name, name_length));
    record->name[name_length] = '\0';
    assert_true(read_bytes(file, header, sizeof header));
    record->type = header[0];
    assert_true(record->type <= GOLDEN_TEXT);
    record->count = 1;
    for (uint32_t i = 0; i < header[1]; i++) {
        assert_true(read_bytes(file, &dim, sizeof dim));
        record->count *= (int64_t)dim;
    }
    const size_t bytes = (size_t)record->count * sizes[record->type];
    record->data = calloc(1, bytes + 1);
    assert_non_null(record->data);
    assert_true(read_bytes(file, record->data, bytes));
}

void golden_read(golden_file *file, const char *path) {
    FILE *in = fopen(path, "rb");
    if (!in) fail_msg("%s cannot be read (tests run in the top folder)", path);
    uint32_t name_length;
    file->count = 0;
    while (read_bytes(in, &name_length, sizeof name_length)) {
        assert_true((size_t)file->count < sizeof file->records / sizeof *file->records);
        read_record(in, name_length, &file->records[file->count++]);
    }
    fclose(in);
}

void golden_free(golden_file *file) {
    for (int i = 0; i < file->count; i++) free(file->records[i].data);
}

const golden_record *golden_find(const golden_file *file, const char *name) {
    for (int i = 0; i < file->count; i++) {
        if (strcmp(file->records[i].name, name) == 0) return &file->records[i];
    }
    return NULL;
}

const golden_record *golden_need(const golden_file *file, const char *name) {
    const golden_record *record = golden_find(file, name);
    if (record == NULL) fail_msg("the golden file has no '%s'", name);
    return record;
}

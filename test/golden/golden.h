/* SPDX-License-Identifier: MIT */
/* Reads the files that make_goldens.py writes. */
#ifndef TGR_TEST_GOLDEN_H
#define TGR_TEST_GOLDEN_H

#include <stdint.h>

enum { GOLDEN_F32 = 0, GOLDEN_F64 = 1, GOLDEN_I32 = 2, GOLDEN_TEXT = 3 };

typedef struct golden_record {
    char name[96];
    uint32_t type;
    int64_t count;
    void *data; /* GOLDEN_TEXT has a final NUL */
} golden_record;

typedef struct golden_file {
    golden_record records[512];
    int count;
} golden_file;

/* Reads a whole file; the test fails when it cannot. */
void golden_read(golden_file *file, const char *path);
void golden_free(golden_file *file);
/* The record of that name, or NULL. */
const golden_record *golden_find(const golden_file *file, const char *name);
/* That record, or the test fails. */
const golden_record *golden_need(const golden_file *file, const char *name);

#endif

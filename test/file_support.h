/* SPDX-License-Identifier: MIT */
/* What tests of files share: whole files as bytes, folders of files. */
#ifndef TGR_TEST_FILE_SUPPORT_H
#define TGR_TEST_FILE_SUPPORT_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support.h"

typedef struct test_file {
    unsigned char *bytes;
    size_t size;
} test_file;

static inline test_file test_file_read(const char *path) {
    FILE *stream = fopen(path, "rb");
    assert_non_null(stream);
    assert_int_equal(fseek(stream, 0, SEEK_END), 0);
    test_file file = {.size = (size_t)ftell(stream)};
    rewind(stream);
    file.bytes = malloc(file.size + 1);
    assert_non_null(file.bytes);
    assert_int_equal(fread(file.bytes, 1, file.size, stream), file.size);
    fclose(stream);
    return file;
}

static inline void test_file_write(const char *path, const void *bytes, size_t size) {
    FILE *stream = fopen(path, "wb");
    assert_non_null(stream);
    assert_int_equal(fwrite(bytes, 1, size, stream), size);
    assert_int_equal(fclose(stream), 0);
}

/* The path of `name` in the folder of the test sources, to be freed; `source` is the test's __FILE__. */
static inline char *test_path_beside(const char *source, const char *name) {
    const char *slash = strrchr(source, '/');
    const size_t folder = slash != NULL ? (size_t)(slash - source) + 1 : 0, length = strlen(name);
    char *path = malloc(folder + length + 1);
    assert_non_null(path);
    if (folder > 0) memcpy(path, source, folder);
    memcpy(path + folder, name, length + 1);
    return path;
}

#endif

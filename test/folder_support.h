/* SPDX-License-Identifier: MIT */
/* For tests of files by name: each has an empty folder of its own.
 *
 *     cmocka_unit_test_setup_teardown(test_x, test_folder_setup, test_folder_teardown) */
#ifndef TGR_TEST_FOLDER_SUPPORT_H
#define TGR_TEST_FOLDER_SUPPORT_H

#include <sys/stat.h>

#include "file_support.h"

static char *test_folder;

static inline int test_folder_setup(void **state) {
    (void)state;
    test_folder = test_folder_create();
    return 0;
}

static inline int test_folder_teardown(void **state) {
    (void)state;
    test_folder_remove(test_folder);
    return 0;
}

/* The path of `name` in the folder; valid until the next call. */
static inline char *test_path(const char *name) {
    static char path[4096];
    assert_true((size_t)snprintf(path, sizeof path, "%s/%s", test_folder, name) < sizeof path);
    return path;
}

static inline void test_make_folder(const char *name) {
    assert_int_equal(mkdir(test_path(name), 0700), 0);
}

#endif

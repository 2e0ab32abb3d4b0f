/* SPDX-License-Identifier: MIT */
/* Runs a fuzz target over the inputs that were worth keeping: test/fuzz/corpus/<folder>. */
#ifndef TGR_TEST_CORPUS_SUPPORT_H
#define TGR_TEST_CORPUS_SUPPORT_H

#include <dirent.h>

#include "file_support.h"

typedef int (*test_fuzz_target)(const uint8_t *data, size_t size);

/* Each input whole, and cut short at every `step`-th byte. */
static inline void test_corpus_run(const char *folder, test_fuzz_target target, size_t step) {
    char name[512];
    int inputs = 0;
    snprintf(name, sizeof name, "fuzz/corpus/%s", folder);
    char *directory = test_path_beside(__FILE__, name);
    DIR *stream = opendir(directory);
    assert_non_null(stream);
    for (struct dirent *entry; (entry = readdir(stream)) != NULL;) {
        if (entry->d_name[0] == '.') continue;
        snprintf(name, sizeof name, "fuzz/corpus/%s/%s", folder, entry->d_name);
        char *input = test_path_beside(__FILE__, name);
        test_file content = test_file_read(input);
        target(content.bytes, content.size);
        for (size_t size = 0; size < content.size; size += step) target(content.bytes, size);
        free(content.bytes);
        free(input);
        inputs++;
    }
    closedir(stream);
    free(directory);
    assert_true(inputs >= 10);
}

#endif

/* SPDX-License-Identifier: MIT */
/* Runs the fuzz target over the inputs that were worth keeping. */
#include <dirent.h>

#include "checkpoint_support.h"

#include "fuzz/checkpoint_reader.c"

/* Beside this source, wherever the test is run from the root of the tree. */
static char *corpus_path(const char *name) {
    char *joined = malloc(4096);
    const char *slash = strrchr(__FILE__, '/');
    assert_non_null(joined);
    snprintf(joined, 4096, "%.*s/fuzz/corpus/checkpoint/%s", slash ? (int)(slash - __FILE__) : 1,
             slash ? __FILE__ : ".", name);
    return joined;
}

static void test_corpus(void **state) {
    (void)state;
    int inputs = 0;
    char *directory = corpus_path("");
    DIR *stream = opendir(directory);
    assert_non_null(stream);
    for (struct dirent *entry; (entry = readdir(stream)) != NULL;) {
        if (entry->d_name[0] == '.') continue;
        char *input = corpus_path(entry->d_name);
        test_file content = test_file_read(input);
        LLVMFuzzerTestOneInput(content.bytes, content.size);
        for (size_t size = 0; size < content.size; size += 7) LLVMFuzzerTestOneInput(content.bytes, size);
        free(content.bytes);
        free(input);
        inputs++;
    }
    closedir(stream);
    free(directory);
    assert_true(inputs >= 10);
    tgr_checkpoint_free(checkpoint);
    tgr_parameters_release(parameters);
    tgr_context_free(context);
    close(file);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_corpus)};
    return cmocka_run_group_tests_name("checkpoint corpus", tests, NULL, NULL);
}

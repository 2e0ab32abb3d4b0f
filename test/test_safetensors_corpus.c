/* SPDX-License-Identifier: MIT */
/* The corpus of the safetensors reader. */
#include "corpus_support.h"

#include "fuzz/safetensors_reader.c"

static void test_corpus(void **state) {
    (void)state;
    test_corpus_run("safetensors", LLVMFuzzerTestOneInput, 1);
    tgr_context_free(context);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_corpus)};
    return cmocka_run_group_tests_name("safetensors corpus", tests, NULL, NULL);
}

/* SPDX-License-Identifier: MIT */
/* The corpus of the checkpoint reader. */
#include "corpus_support.h"

#include "fuzz/checkpoint_reader.c"

static void test_corpus(void **state) {
    (void)state;
    test_corpus_run("checkpoint", LLVMFuzzerTestOneInput, 7);
    tgr_checkpoint_free(checkpoint);
    tgr_parameters_release(parameters);
    tgr_context_free(context);
    close(file);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_corpus)};
    return cmocka_run_group_tests_name("checkpoint corpus", tests, NULL, NULL);
}

/* SPDX-License-Identifier: MIT */
/* The corpus of the image decoders and the resizer, and their goldens as input. */
#include "corpus_support.h"

#include "fuzz/images_reader.c"

static void test_corpus(void **state) {
    (void)state;
    test_corpus_run("images", LLVMFuzzerTestOneInput, 13);
    test_corpus_run("../../golden/images", LLVMFuzzerTestOneInput, 29);
    image_free(&first);
    image_free(&second);
    image_free(&fitted);
    resizer_free(&memory);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_corpus)};
    return cmocka_run_group_tests_name("images corpus", tests, NULL, NULL);
}

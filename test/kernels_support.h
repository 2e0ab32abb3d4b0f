/* SPDX-License-Identifier: MIT */
/* For tests of all the kernels that this machine can run: a loop over them, and contexts that have them. */
#ifndef TGR_TEST_KERNELS_SUPPORT_H
#define TGR_TEST_KERNELS_SUPPORT_H

#include <stdlib.h>
#include <string.h>

#include "kernels/kernels.h"
#include "support.h"

/* The kernels numbered from 0 that this machine can run; NULL behind the last. */
static inline const tgr_kernels *usable_kernels(int number) {
    const tgr_kernels *kernels;
    for (int i = 0; (kernels = tgr_kernels_row(i)) != NULL; i++)
        if (kernels->usable() && number-- == 0) return kernels;
    return NULL;
}

#define FOR_KERNELS(kernels)                                               \
    for (int kernels_number = 0; kernels_number >= 0; kernels_number = -1) \
        for (const tgr_kernels *kernels; (kernels = usable_kernels(kernels_number)) != NULL; kernels_number++)

/* A context that runs these kernels, whatever the environment asks for. */
static inline tgr_context *test_context_with(const tgr_kernels *kernels, int threads, uint64_t seed) {
    const char *asked = getenv("TGRMOE_KERNELS");
    char *before = asked != NULL ? strdup(asked) : NULL;
    assert_int_equal(setenv("TGRMOE_KERNELS", kernels->name, 1), 0);
    tgr_context *context = test_context(threads, seed);
    if (before != NULL)
        assert_int_equal(setenv("TGRMOE_KERNELS", before, 1), 0);
    else
        assert_int_equal(unsetenv("TGRMOE_KERNELS"), 0);
    free(before);
    return context;
}

#endif

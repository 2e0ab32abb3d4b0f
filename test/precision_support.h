/* SPDX-License-Identifier: MIT */
/* What tests of option precision share: the kernels that multiply bfloat16, models wide enough to be blocked. */
#ifndef TGR_TEST_PRECISION_SUPPORT_H
#define TGR_TEST_PRECISION_SUPPORT_H

#include "base/context.h"
#include "base/parameters.h"
#include "kernels_support.h"
#include "training_support.h"

#define WIDE \
    "image_size=16 patch_size=4 channels=1 classes=5 embed_dim=48 depth=3 heads=3 moe_blocks=2,3 experts=4 lr=0.01 "
enum { IMAGES = 6 };

/* A number of a significand of 8 bits is off by 2^-9 of it at most. */
#define BFLOAT16_ROUNDING 0x1p-9

static inline int multiplies_bfloat16(const tgr_kernels *kernels) {
    return kernels->gemm_bfloat16 != NULL && kernels->bfloat16_usable();
}

/* The best kernels with such products. The test is skipped on a machine that has none: to be called before it holds
 * any memory. */
static inline const tgr_kernels *bfloat16_kernels(void) {
    FOR_KERNELS(kernels) {
        if (multiplies_bfloat16(kernels)) return kernels;
    }
    skip();
    return NULL;
}

#define FOR_BFLOAT16_KERNELS(kernels) \
    FOR_KERNELS(kernels)              \
        if (multiplies_bfloat16(kernels))

static inline tgr_context *bfloat16_context(int threads) {
    return test_context_with(bfloat16_kernels(), threads, 7);
}

#endif

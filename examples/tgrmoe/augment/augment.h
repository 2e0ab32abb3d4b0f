/* SPDX-License-Identifier: MIT */
/* Augmentation of one training image (docs/augmentation.md): crop, mirror, RandAugment or colour jitter on RGB bytes.
 * The result is a function of the arguments only. Any number of threads may augment at once, each with its own
 * augment_scratch. */
#ifndef TOOL_AUGMENT_AUGMENT_H
#define TOOL_AUGMENT_AUGMENT_H

#include "augment/random.h"
#include "augment/recipe.h"
#include "images/resize.h"

/* Working memory of one thread; all zero before its first use. */
typedef struct augment_scratch {
    image other;
    resizer memory;
} augment_scratch;

/* Makes `out` [size, size] from `in`, which must already have that size if the recipe has no resized crop. */
int augment_image(image *out, const image *in, const augment_recipe *recipe, int size, augment_key key,
                  augment_scratch *scratch);
void augment_scratch_free(augment_scratch *scratch);

#endif

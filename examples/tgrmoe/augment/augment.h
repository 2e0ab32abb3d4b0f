/* SPDX-License-Identifier: MIT */
/* Augmentation of training images (docs/augmentation.md): crop, mirror, RandAugment or colour jitter on RGB bytes, then
 * random erasing on the normalised floats. Every result is a function of the arguments alone; functions may run on any
 * number of threads at once, each thread with an augment_scratch of its own. */
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

/* Makes `out` [size, size] of `in`, which without a crop must have that size already. */
int augment_image(image *out, const image *in, const augment_recipe *recipe, int size, augment_key key,
                  augment_scratch *scratch);
void augment_scratch_free(augment_scratch *scratch);

#endif

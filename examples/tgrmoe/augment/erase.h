/* SPDX-License-Identifier: MIT */
/* Random erasing. */
#ifndef TOOL_AUGMENT_ERASE_H
#define TOOL_AUGMENT_ERASE_H

#include "augment/random.h"
#include "augment/recipe.h"
#include "images/resize.h"

/* Which part is taken: a share of 0.02 to 1/3 of the area, uniform; an aspect of 0.3 to 1/0.3, its logarithm uniform;
 * anywhere. 0 when ten in turn don't fit. */
int augment_erase_draw(augment_random *random, int width, int height, image_region *out);
/* Random erasing: with recipe->erase as probability, a rectangle of `pixels` [channels, height, width] becomes standard
 * normal noise. */
void augment_erase(float *pixels, int channels, int height, int width, const augment_recipe *recipe, augment_key key);

#endif

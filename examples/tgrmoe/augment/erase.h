/* SPDX-License-Identifier: MIT */
/* Random erasing of normalised images. */
#ifndef TOOL_AUGMENT_ERASE_H
#define TOOL_AUGMENT_ERASE_H

#include "augment/random.h"
#include "augment/recipe.h"
#include "images/resize.h"

/* Draws the rectangle: 0.02 to 1/3 of the area, uniform; an aspect ratio of 0.3 to 1/0.3, log-uniform; at any position.
 * Returns 0 if ten attempts don't fit. */
int augment_erase_draw(augment_random *random, int width, int height, image_region *out);
/* With probability recipe->erase, replaces a rectangle of `pixels` [channels, height, width] by standard normal
 * noise. */
void augment_erase(float *pixels, int channels, int height, int width, const augment_recipe *recipe, augment_key key);

#endif

/* SPDX-License-Identifier: MIT */
/* Which part of an image random erasing takes. */
#ifndef TOOL_AUGMENT_ERASE_H
#define TOOL_AUGMENT_ERASE_H

#include "augment/random.h"
#include "images/resize.h"

/* A share of 0.02 to 1/3 of the area, uniform; an aspect of 0.3 to 1/0.3, its logarithm uniform; anywhere. 0 when ten
 * in turn don't fit. */
int augment_erase_draw(augment_random *random, int width, int height, image_region *out);

#endif

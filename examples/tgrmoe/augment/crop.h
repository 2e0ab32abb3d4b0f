/* SPDX-License-Identifier: MIT */
/* Random crops: which part of an image is kept, and the shift of small images. */
#ifndef TOOL_AUGMENT_CROP_H
#define TOOL_AUGMENT_CROP_H

#include "augment/random.h"
#include "images/image.h"
#include "images/resize.h"

/* torchvision's RandomResizedCrop: 0.08 to 1 of the area, uniform; an aspect ratio of 3/4 to 4/3, log-uniform; at any
 * position. After ten attempts that don't fit, the largest centred part with an allowed aspect ratio. */
image_region augment_crop_draw(augment_random *random, int width, int height);
/* torchvision's RandomCrop with padding: the image moves by -4 to 4 pixels in each direction, filled up with black. In
 * place. */
int augment_shift(image *io, image *scratch, augment_random *random);

#endif

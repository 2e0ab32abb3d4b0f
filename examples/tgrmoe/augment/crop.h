/* SPDX-License-Identifier: MIT */
/* Which part of an image is cropped, and the shift of small images. */
#ifndef TOOL_AUGMENT_CROP_H
#define TOOL_AUGMENT_CROP_H

#include "augment/random.h"
#include "images/image.h"
#include "images/resize.h"

/* torchvision's RandomResizedCrop: a share of 0.08 to 1 of the area, uniform; an aspect of 3/4 to 4/3, its logarithm
 * uniform; anywhere. After ten that don't fit, the largest part in the middle whose aspect is allowed. */
image_region augment_crop_draw(augment_random *random, int width, int height);
/* torchvision's RandomCrop with padding: the image moves by -4 to 4 pixels each way and black comes in. In place. */
int augment_shift(image *io, image *scratch, augment_random *random);

#endif

/* SPDX-License-Identifier: MIT */
/* Operations that go from a poorer image through the image itself beyond it, to the byte as Pillow's ImageEnhance does.
 * A factor of 0 gives the poorer image, 1 the image as it was. In place. */
#ifndef TOOL_AUGMENT_ENHANCE_H
#define TOOL_AUGMENT_ENHANCE_H

#include "images/image.h"

/* From grey. */
void augment_color(image *io, float factor);
/* From the mean grey. */
void augment_contrast(image *io, float factor);
/* From black. */
void augment_brightness(image *io, float factor);
/* From a blurred image, which `scratch` holds then. */
int augment_sharpness(image *io, image *scratch, float factor);

#endif

/* SPDX-License-Identifier: MIT */
/* Operations that interpolate between a degenerate image and the image itself, or extrapolate, byte for byte as
 * Pillow's ImageEnhance does. A factor of 0 gives the degenerate image, 1 the unchanged one. In place. */
#ifndef TOOL_AUGMENT_ENHANCE_H
#define TOOL_AUGMENT_ENHANCE_H

#include "images/image.h"

/* The degenerate image is grey. */
void augment_color(image *io, float factor);
/* It is the mean grey level. */
void augment_contrast(image *io, float factor);
/* It is black. */
void augment_brightness(image *io, float factor);
/* It is a blurred image, which `scratch` holds afterwards. */
int augment_sharpness(image *io, image *scratch, float factor);

#endif

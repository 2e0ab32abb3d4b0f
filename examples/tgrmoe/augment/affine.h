/* SPDX-License-Identifier: MIT */
/* Operations that move pixels, byte for byte as Pillow's Image.transform and rotate do. The image keeps its size. They
 * work in place; afterwards `scratch` holds the original image. */
#ifndef TOOL_AUGMENT_AFFINE_H
#define TOOL_AUGMENT_AFFINE_H

#include "images/image.h"
#include "images/resize.h"

typedef struct affine_style {
    interpolation how;
    uint8_t fill[IMAGE_CHANNELS]; /* colour of what was outside the image */
} affine_style;

/* The pixel at (x, y) comes from (x + factor · y, y), or from (x, y + factor · x). */
int augment_shear_x(image *io, image *scratch, const affine_style *style, double factor);
int augment_shear_y(image *io, image *scratch, const affine_style *style, double factor);
/* It comes from (x + share · width, y), or from (x, y + share · height). */
int augment_translate_x(image *io, image *scratch, const affine_style *style, double share);
int augment_translate_y(image *io, image *scratch, const affine_style *style, double share);
/* Counterclockwise around the centre. */
int augment_rotate(image *io, image *scratch, const affine_style *style, double degrees);
/* Swaps left and right. */
void augment_flip(image *io);

#endif

/* SPDX-License-Identifier: MIT */
/* Operations that move pixels, to the byte as Pillow's Image.transform and rotate do. The image stays as large as it
 * was. In place; `scratch` holds the image as it was then. */
#ifndef TOOL_AUGMENT_AFFINE_H
#define TOOL_AUGMENT_AFFINE_H

#include "images/image.h"
#include "images/resize.h"

typedef struct affine_style {
    interpolation how;
    uint8_t fill[IMAGE_CHANNELS]; /* what comes in from outside */
} affine_style;

/* The pixel at (x, y) comes from (x + factor · y, y), or from (x, y + factor · x). */
int augment_shear_x(image *io, image *scratch, const affine_style *style, double factor);
int augment_shear_y(image *io, image *scratch, const affine_style *style, double factor);
/* It comes from `share` of the width, or of the height, further on. */
int augment_translate_x(image *io, image *scratch, const affine_style *style, double share);
int augment_translate_y(image *io, image *scratch, const affine_style *style, double share);
/* Counterclockwise around the middle. */
int augment_rotate(image *io, image *scratch, const affine_style *style, double degrees);
/* Left becomes right. */
void augment_flip(image *io);

#endif

/* SPDX-License-Identifier: MIT */
/* Operations that replace each byte by another, to the byte as Pillow's ImageOps does. In place. */
#ifndef TOOL_AUGMENT_POINT_H
#define TOOL_AUGMENT_POINT_H

#include "images/image.h"

/* Each channel's lowest value becomes 0, its highest 255, with a straight line between. */
void augment_autocontrast(image *io);
/* Each channel's values become equally frequent, as far as whole values can. */
void augment_equalize(image *io);
void augment_invert(image *io);
/* Keeps the `bits` highest bits; 0 leaves a black image. */
void augment_posterize(image *io, int bits);
/* Inverts values from `threshold` on. */
void augment_solarize(image *io, int threshold);
/* Adds to values below 128. */
void augment_solarize_add(image *io, int addend);

#endif

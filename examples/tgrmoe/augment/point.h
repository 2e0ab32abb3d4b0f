/* SPDX-License-Identifier: MIT */
/* Operations that map each byte to another, byte for byte as Pillow's ImageOps does. In place. */
#ifndef TOOL_AUGMENT_POINT_H
#define TOOL_AUGMENT_POINT_H

#include "images/image.h"

/* Stretches each channel linearly, so that its lowest value becomes 0 and its highest 255. */
void augment_autocontrast(image *io);
/* Equalises each channel's histogram. */
void augment_equalize(image *io);
void augment_invert(image *io);
/* Keeps the `bits` highest bits; 0 makes the image black. */
void augment_posterize(image *io, int bits);
/* Inverts values from `threshold` on. */
void augment_solarize(image *io, int threshold);
/* Adds to values below 128. */
void augment_solarize_add(image *io, int addend);

#endif

/* SPDX-License-Identifier: MIT */
/* How a camera was held. Phones store pixels as the sensor delivers them, and in EXIF how to turn them. */
#ifndef TOOL_IMAGES_ORIENTATION_H
#define TOOL_IMAGES_ORIENTATION_H

#include "images/image.h"

/* The orientation in EXIF, or else in XMP, of a JPEG or PNG: 1 to 8; 1, which is upright, if there is none. */
int orientation_find(const uint8_t *bytes, size_t size);
/* `in` turned and mirrored so that it is upright, as Pillow's exif_transpose does. */
int orientation_apply(const image *in, int orientation, image *out);

#endif

/* SPDX-License-Identifier: MIT */
/* How a camera was held. Phones store pixels as the sensor has them, and in EXIF how they are to be turned. */
#ifndef TOOL_IMAGES_ORIENTATION_H
#define TOOL_IMAGES_ORIENTATION_H

#include "images/image.h"

/* What EXIF, or else XMP, says in the bytes of a JPEG or PNG: 1 to 8; 1, which is upright, where they say nothing. */
int orientation_find(const uint8_t *bytes, size_t size);
/* `in` turned and mirrored so that it stands upright, as Pillow's exif_transpose does. */
int orientation_apply(const image *in, int orientation, image *out);

#endif

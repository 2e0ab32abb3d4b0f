/* SPDX-License-Identifier: MIT */
/* JPEG and PNG to RGB with 8 bits, as Pillow's Image.open(...).convert("RGB") gives it: transparency is dropped, grey
 * of 16 bits is cut off at 255, colour profiles and gamma are not applied, and neither is the orientation in EXIF. */
#ifndef TOOL_IMAGES_DECODE_H
#define TOOL_IMAGES_DECODE_H

#include "images/decode_limits.h"

typedef enum image_format { IMAGE_FORMAT_UNKNOWN = 0, IMAGE_FORMAT_JPEG, IMAGE_FORMAT_PNG } image_format;

/* By the first bytes; twelve are enough. `other` NULL, or what to call a format that is not decoded here ("WebP"), else
 * NULL. */
image_format image_sniff(const uint8_t *bytes, size_t size, const char **other);
/* `name` is for messages. `pixels_most` at most DECODE_PIXELS_MOST. What is in `out` after a failure has no meaning. */
int image_decode(const uint8_t *bytes, size_t size, const char *name, int64_t pixels_most, image *out);

#endif

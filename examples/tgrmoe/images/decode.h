/* SPDX-License-Identifier: MIT */
/* JPEG and PNG to 8-bit RGB, as Pillow's Image.open(...).convert("RGB") does it: transparency is dropped, 16-bit grey
 * is clipped at 255, and colour profiles, gamma and the EXIF orientation (orientation.h) are
 * ignored. */
#ifndef TOOL_IMAGES_DECODE_H
#define TOOL_IMAGES_DECODE_H

#include "images/decode_limits.h"

typedef enum image_format { IMAGE_FORMAT_UNKNOWN = 0, IMAGE_FORMAT_JPEG, IMAGE_FORMAT_PNG } image_format;

/* Recognises the format by its first bytes; twelve are enough. If `other` is not NULL, it becomes the name of a known
 * format that is not decoded here ("WebP"), or NULL. */
image_format image_sniff(const uint8_t *bytes, size_t size, const char **other);
/* `name` is for messages; `pixels_most` is at most DECODE_PIXELS_MOST. After a failure the contents of `out` are
 * undefined. */
int image_decode(const uint8_t *bytes, size_t size, const char *name, int64_t pixels_most, image *out);

#endif

/* SPDX-License-Identifier: MIT */
/* JPEG and PNG to RGB with 8 bits, as Pillow's Image.open(...).convert("RGB") gives it: transparency is dropped, grey
 * of 16 bits is cut off at 255, colour profiles and gamma are not applied, and neither is the orientation in EXIF. */
#ifndef TOOL_IMAGES_DECODE_H
#define TOOL_IMAGES_DECODE_H

#include "images/image.h"

/* What an image may be at most, to be decoded. */
enum { DECODE_SIDE_MOST = 65500, DECODE_PIXELS_MOST = 1 << 27 };

typedef enum image_format { IMAGE_FORMAT_UNKNOWN = 0, IMAGE_FORMAT_JPEG, IMAGE_FORMAT_PNG } image_format;

/* By the first bytes; twelve are enough. `other` NULL, or what to call a format that is not decoded here ("WebP"), else
 * NULL. */
image_format image_sniff(const uint8_t *bytes, size_t size, const char **other);
/* `name` is for messages. `pixels_most` at most DECODE_PIXELS_MOST. What is in `out` after a failure has no meaning. */
int image_decode(const uint8_t *bytes, size_t size, const char *name, int64_t pixels_most, image *out);

/* One format each. They return NULL, or what is wrong, in `message`. */
enum { DECODE_MESSAGE = 256 };
const char *decode_jpeg(const uint8_t *bytes, size_t size, int64_t pixels_most, char message[DECODE_MESSAGE],
                        image *out);
const char *decode_png(const uint8_t *bytes, size_t size, int64_t pixels_most, char message[DECODE_MESSAGE],
                       image *out);
/* For these two: whether an image of this size may be decoded, and room for it. */
const char *decode_reserve(uint64_t width, uint64_t height, int64_t pixels_most, char message[DECODE_MESSAGE],
                           image *out);

#endif

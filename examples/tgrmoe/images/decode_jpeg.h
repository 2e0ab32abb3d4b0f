/* SPDX-License-Identifier: MIT */
/* JPEG to 8-bit RGB. */
#ifndef TOOL_IMAGES_DECODE_JPEG_H
#define TOOL_IMAGES_DECODE_JPEG_H

#include "images/decode_limits.h"

/* NULL, or what is wrong, in `message`, which must be empty before; after success it has what is odd about the image.
 * What is in `out` after a failure has no meaning. */
const char *decode_jpeg(const uint8_t *bytes, size_t size, int64_t pixels_most, char message[DECODE_MESSAGE],
                        image *out);

#endif

/* SPDX-License-Identifier: MIT */
/* JPEG to RGB with 8 bits. */
#ifndef TOOL_IMAGES_DECODE_JPEG_H
#define TOOL_IMAGES_DECODE_JPEG_H

#include "images/decode_limits.h"

/* NULL, or what is wrong, in `message`. What is in `out` after a failure has no meaning. */
const char *decode_jpeg(const uint8_t *bytes, size_t size, int64_t pixels_most, char message[DECODE_MESSAGE],
                        image *out);

#endif

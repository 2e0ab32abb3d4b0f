/* SPDX-License-Identifier: MIT */
/* PNG to 8-bit RGB. */
#ifndef TOOL_IMAGES_DECODE_PNG_H
#define TOOL_IMAGES_DECODE_PNG_H

#include "images/decode_limits.h"

/* Returns NULL, or what is wrong, in `message`. After a failure the contents of `out` are undefined. */
const char *decode_png(const uint8_t *bytes, size_t size, int64_t pixels_most, char message[DECODE_MESSAGE],
                       image *out);

#endif

/* SPDX-License-Identifier: MIT */
/* The largest image that is decoded. */
#ifndef TOOL_IMAGES_DECODE_LIMITS_H
#define TOOL_IMAGES_DECODE_LIMITS_H

#include "images/image.h"

enum { DECODE_SIDE_MOST = 65500, DECODE_PIXELS_MOST = 1 << 27, DECODE_MESSAGE = 256 };

/* Reserves memory for an image of this size, if it is allowed. Returns NULL, or what is wrong, in `message`. */
const char *decode_reserve(uint64_t width, uint64_t height, int64_t pixels_most, char message[DECODE_MESSAGE],
                           image *out);

#endif

/* SPDX-License-Identifier: MIT */
/* Sizes are checked before memory is requested: a damaged header may claim anything. */
#include "images/decode_limits.h"

#include <inttypes.h>
#include <stdio.h>

const char *decode_reserve(uint64_t width, uint64_t height, int64_t pixels_most, char message[DECODE_MESSAGE],
                           image *out) {
    if (width == 0 || height == 0) return "has no pixels";
    if (width > DECODE_SIDE_MOST || height > DECODE_SIDE_MOST || width * height > (uint64_t)pixels_most) {
        snprintf(message, DECODE_MESSAGE,
                 "has %" PRIu64 " x %" PRIu64 " pixels; a side may have %d, the image %" PRId64, width, height,
                 DECODE_SIDE_MOST, pixels_most);
        return message;
    }
    return image_reserve(out, (int)width, (int)height) == 0 ? NULL : "no memory for its pixels";
}

/* SPDX-License-Identifier: MIT */
/* What tests of images share: images of given pixels. */
#ifndef TGR_TEST_IMAGE_SUPPORT_H
#define TGR_TEST_IMAGE_SUPPORT_H

#include <string.h>

#include "images/image.h"
#include "support.h"

static inline size_t test_image_bytes(const image *of) {
    return (size_t)of->width * (size_t)of->height * IMAGE_CHANNELS;
}

/* To be freed by image_free. */
static inline image test_image(int width, int height, const uint8_t *pixels) {
    image copy = {0};
    assert_int_equal(image_reserve(&copy, width, height), 0);
    memcpy(copy.pixels, pixels, test_image_bytes(&copy));
    return copy;
}

#endif

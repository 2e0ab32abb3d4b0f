/* SPDX-License-Identifier: MIT */
/* An image in memory, as decoding, resizing and augmenting hand it on. */
#ifndef TOOL_IMAGES_IMAGE_H
#define TOOL_IMAGES_IMAGE_H

#include <stddef.h>
#include <stdint.h>

enum { IMAGE_CHANNELS = 3 };

/* `pixels` belong to the image and are kept for the next one: `capacity` bytes, of which height * width * 3 count. */
typedef struct image {
    int width, height;
    uint8_t *pixels; /* [height, width, 3], RGB */
    size_t capacity;
} image;

/* Makes room for that many pixels. What was there is lost when `pixels` has to grow; on failure the image is empty. */
int image_reserve(image *out, int width, int height);
void image_free(image *out);

#endif

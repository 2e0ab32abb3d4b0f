/* SPDX-License-Identifier: MIT */
/* An image in memory, as it passes through decoding, resizing and augmentation. */
#ifndef TOOL_IMAGES_IMAGE_H
#define TOOL_IMAGES_IMAGE_H

#include <stddef.h>
#include <stdint.h>

enum { IMAGE_CHANNELS = 3 };

/* The image owns `pixels` and reuses them for the next image: `capacity` bytes, of which height * width * 3 are
 * valid. */
typedef struct image {
    int width, height;
    uint8_t *pixels; /* [height, width, 3], RGB */
    size_t capacity;
} image;

/* Reserves memory for that many pixels. The old contents are lost if `pixels` has to grow; on failure the image is
 * empty. */
int image_reserve(image *out, int width, int height);
void image_free(image *out);

#endif

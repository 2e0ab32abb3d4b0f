/* SPDX-License-Identifier: MIT */
/* Images for the examples: a bright bar in one of four rows of patches, on noise. The label says which row. */
#ifndef MADE_UP_IMAGES_H
#define MADE_UP_IMAGES_H

#include <stdint.h>

enum { IMAGE_SIZE = 16, PATCH_SIZE = 4, CLASSES = 4, PIXELS = IMAGE_SIZE * IMAGE_SIZE };

/* Fills images [count, 1, IMAGE_SIZE, IMAGE_SIZE] and labels [count]; another seed gives other images. */
static inline void make_up_images(float *images, int32_t *labels, int count, uint32_t seed) {
    uint32_t random = seed * 2654435761U + 12345U;
    for (int i = 0; i < count; i++) {
        random = random * 1664525U + 1013904223U;
        labels[i] = (int32_t)(random >> 30);
        for (int k = 0; k < PIXELS; k++) {
            const int row = k / IMAGE_SIZE;
            random = random * 1664525U + 1013904223U;
            images[i * PIXELS + k] = (float)(random >> 8) / 16777216.0F - 0.5F;
            if (row / PATCH_SIZE == labels[i] && row % PATCH_SIZE == 1) images[i * PIXELS + k] += 1.0F;
        }
    }
}

#endif

/* SPDX-License-Identifier: MIT */
/* Resizing, byte for byte as Pillow does it, so that a model sees here what it saw in Python. */
#ifndef TOOL_IMAGES_RESIZE_H
#define TOOL_IMAGES_RESIZE_H

#include "images/image.h"

/* Pillow's numbers. */
typedef enum interpolation { INTERPOLATION_BILINEAR = 2, INTERPOLATION_BICUBIC = 3 } interpolation;

typedef struct image_region {
    int left, top, width, height;
} image_region;

/* The weights along one axis: output i is the sum of taps[i * taps_most + k] * input[first[i] + k] over k < counts[i].
 */
typedef struct resize_axis {
    int *first, *counts; /* [outputs] */
    int32_t *taps;       /* [outputs, taps_most], fixed point */
    double *weights;     /* [taps_most], of one output */
    int taps_most;
    size_t outputs_capacity, taps_capacity, weights_capacity;
} resize_axis;

/* Working memory, kept from one image to the next. Initially all zero; one for each thread. */
typedef struct resizer {
    resize_axis across, down;
    uint8_t *rows; /* the result of the first pass, [height, width, 3] */
    int32_t *sums; /* [width * 3] */
    size_t rows_capacity, sums_capacity;
} resizer;

/* Resizes the region `from` of `in` (NULL: all of it) to width x height, as if it were the whole image, and computes
 * only the region `keep` of the result (NULL: all of it). `out` must not be `in`. */
int image_resize(resizer *memory, const image *in, const image_region *from, int width, int height, interpolation how,
                 const image_region *keep, image *out);
void resizer_free(resizer *memory);

#endif

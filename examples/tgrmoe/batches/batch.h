/* SPDX-License-Identifier: MIT */
/* Batches of float32 images and int32 labels, made from bytes on the fly. */
#ifndef TOOL_BATCHES_BATCH_H
#define TOOL_BATCHES_BATCH_H

#include "data/image_set.h"

typedef struct tool_batch {
    int64_t count, capacity;
    float *images;                           /* [count, channels, size, size], normalised */
    int32_t *labels;                         /* [count] */
    int64_t *ids;                            /* [count], the image's place in its set */
    float *targets;                          /* [count, classes] if images are mixed; NULL: use the labels */
    int64_t epoch, number;                   /* of the batch, from 0; the number continues from epoch to epoch */
    float values[DATASET_CHANNELS_MAX][256]; /* what each byte maps to, by channel */
} tool_batch;

/* Memory for `capacity` images like those of `set`; a byte becomes (byte/255 - mean)/deviation. */
int batch_create(tool_batch *out, const image_set *set, int64_t capacity, const double *mean, const double *deviation);
/* Fills it with `count` images of `set`: order[first], order[first+1] …, or first, first+1 … if `order` is NULL. */
void batch_fill(tool_batch *batch, const image_set *set, const int64_t *order, int64_t first, int64_t count);
/* Sets image `place` of the batch, from pixels [size, size, 3]. */
void batch_put(tool_batch *batch, int64_t place, const uint8_t *pixels, int64_t size);
void batch_free(tool_batch *batch);

#endif

/* SPDX-License-Identifier: MIT */
/* Augmentation of the images of a batch: from bytes to normalised floats, erased and mixed. */
#ifndef TOOL_BATCHES_AUGMENTER_H
#define TOOL_BATCHES_AUGMENTER_H

#include "augment/augment.h"
#include "batches/batch.h"
#include "data/image_set.h"

/* What one thread needs. */
typedef struct augment_worker {
    augment_scratch scratch;
    image in, out;
} augment_worker;

typedef struct augmenter {
    augment_recipe recipe;
    uint64_t seed;
    int64_t channels, size, classes;
    augment_worker *workers; /* [worker_count] */
    int worker_count;
} augmenter;

/* For images [channels, size, size], made by at most `workers` threads at once. */
int augmenter_create(augmenter *out, const augment_recipe *recipe, uint64_t seed, int64_t channels, int64_t size,
                     int64_t classes, int workers);
void augmenter_free(augmenter *with);
/* Makes image `place` of the batch from `in`; batch->ids[place] must be set. A worker is used by one thread at a
 * time. */
int augmenter_make(augmenter *with, int worker, const image *in, int64_t epoch, tool_batch *batch, int64_t place);
/* The same from batch->ids[place] of `set`. */
int augmenter_make_from(augmenter *with, int worker, const image_set *set, int64_t epoch, tool_batch *batch,
                        int64_t place);
/* Call when all images of batch `number` are made: mixes them if the recipe says so, and fills batch->targets. */
int augmenter_mix(const augmenter *with, int64_t epoch, int64_t number, tool_batch *batch);

#endif

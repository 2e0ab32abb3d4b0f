/* SPDX-License-Identifier: MIT */
/* Batches of a set of images in a given order. Those from memory are made on demand; those from files, or augmented,
 * ahead by threads. Their contents do not depend on the number of threads. */
#ifndef TOOL_BATCHES_READER_H
#define TOOL_BATCHES_READER_H

#include "batches/augmenter.h"
#include "batches/batch.h"
#include "data/image_set.h"
#include "images/preprocessing.h"

typedef struct reading {
    const image_set *set;
    const preprocessing *how;
    int64_t batch;      /* the most images in a batch */
    int threads;        /* that make images ahead */
    augmenter *augment; /* with as many workers as threads; NULL: images as for evaluation */
    /* As in prefetch.h. */
    void *user;
    void (*plan)(void *user, int64_t number, tool_batch *batch);
} reading;

typedef struct image_reader image_reader;

int image_reader_open(image_reader **out, const reading *what);
/* The next batch, valid until the next call; NULL after the last. */
int image_reader_next(image_reader *reader, const tool_batch **batch);
void image_reader_close(image_reader *reader);

#endif

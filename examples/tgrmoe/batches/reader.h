/* SPDX-License-Identifier: MIT */
/* Batches of a set of images in a given order: from memory they are made when asked for; from files, or augmented,
 * ahead by threads. What is in them is the same for any number of threads. */
#ifndef TOOL_BATCHES_READER_H
#define TOOL_BATCHES_READER_H

#include "batches/augmenter.h"
#include "batches/batch.h"
#include "images/preprocessing.h"

typedef struct reading {
    const image_set *set;
    const preprocessing *how;
    int64_t batch;      /* the most images in a batch */
    int threads;        /* that read ahead */
    augmenter *augment; /* for as many workers as threads; NULL: images are as for evaluation */
    /* As in prefetch.h. */
    void *user;
    void (*plan)(void *user, int64_t number, tool_batch *batch);
} reading;

typedef struct image_reader image_reader;

int image_reader_open(image_reader **out, const reading *what);
/* The next batch, the caller's until the next call; NULL after the last. */
int image_reader_next(image_reader *reader, const tool_batch **batch);
void image_reader_close(image_reader *reader);

/* The images of a training run, for `plan`: each epoch in an order of its own. */
typedef struct training_order {
    int64_t images, batch, steps_per_epoch; /* whole batches only, unless there is not even one */
    int64_t first_step, end_step;           /* of the batches, counted from the start of training */
    int shuffle;
    uint64_t seed;
    int64_t *order; /* [images], of epoch `order_epoch` */
    int64_t order_epoch;
} training_order;

/* Room for `order`, when it is to be shuffled. */
int training_order_open(training_order *io);
void training_order_plan(void *user, int64_t number, tool_batch *batch);
void training_order_close(training_order *order);

#endif

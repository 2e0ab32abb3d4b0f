/* SPDX-License-Identifier: MIT */
/* Which images are in which batch of a training run: a function of the seed and the step only. */
#ifndef TOOL_BATCHES_TRAINING_ORDER_H
#define TOOL_BATCHES_TRAINING_ORDER_H

#include "batches/batch.h"

/* The order of images in training, for a reading's `plan`: different in each epoch. */
typedef struct training_order {
    int64_t images, batch, steps_per_epoch; /* whole batches only, unless there is not even one */
    int64_t first_step, end_step;           /* of the batches, counted from the start of training */
    int shuffle;
    uint64_t seed;
    int64_t *order; /* [images], of epoch `order_epoch` */
    int64_t order_epoch;
} training_order;

/* Allocates `order`. */
int training_order_open(training_order *io);
void training_order_plan(void *user, int64_t number, tool_batch *batch);
void training_order_close(training_order *order);

#endif

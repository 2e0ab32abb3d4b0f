/* SPDX-License-Identifier: MIT */
/* The order of an epoch is drawn when its first batch is planned. */
#include "batches/training_order.h"

#include <stdlib.h>

#include "data/shuffle.h"
#include "failure.h"

int training_order_open(training_order *io) {
    io->order_epoch = -1;
    io->order = calloc((size_t)io->images, sizeof *io->order);
    if (!io->order) return fail_with("no memory for the order of %lld images", (long long)io->images);
    for (int64_t i = 0; i < io->images; i++) io->order[i] = i;
    return 0;
}

void training_order_plan(void *user, int64_t number, tool_batch *batch) {
    training_order *of = user;
    const int64_t step = of->first_step + number, epoch = step / of->steps_per_epoch;
    const int64_t count = of->batch < of->images ? of->batch : of->images;
    batch->count = 0;
    if (step >= of->end_step) return;
    if (of->shuffle && of->order_epoch != epoch) {
        shuffle(of->order, of->images, of->seed, epoch);
        of->order_epoch = epoch;
    }
    batch->count = count;
    batch->epoch = epoch;
    batch->number = step;
    for (int64_t i = 0; i < count; i++) batch->ids[i] = of->order[step % of->steps_per_epoch * count + i];
}

void training_order_close(training_order *order) {
    free(order->order);
    order->order = NULL;
}

/* SPDX-License-Identifier: MIT */
/* Batches made ahead by threads. The caller's functions decide what batch n holds; the threads only decide how soon it
 * is ready. */
#ifndef TOOL_BATCHES_PREFETCH_H
#define TOOL_BATCHES_PREFETCH_H

#include "batches/batch.h"

typedef struct prefetch_work {
    void *user;
    /* Chooses the images of batch `number`, from 0: fills batch->ids and sets batch->count (0: there are no more
     * batches), batch->epoch and batch->number. Called for one batch after another, never by two threads at once. */
    void (*plan)(void *user, int64_t number, tool_batch *batch);
    /* Makes image batch->ids[place], on thread `worker`. prefetch_next returns a failure. */
    int (*make)(void *user, int worker, tool_batch *batch, int64_t place);
    /* NULL, or what remains to be done when all images of a batch are made. */
    int (*finish)(void *user, tool_batch *batch);
} prefetch_work;

enum { PREFETCH_THREADS_MOST = 64 };

typedef struct prefetch prefetch;

/* Starts `threads` threads, which keep `depth` batches filled, including the one that the caller holds. The caller owns
 * the batches, which must outlive this. */
int prefetch_open(prefetch **out, const prefetch_work *work, tool_batch *batches, int depth, int threads);
/* The next batch, valid until the next call, or NULL after the last. If images of a batch failed, this and every later
 * call fails with the message of the first of them. */
int prefetch_next(prefetch *ahead, const tool_batch **batch);
/* May be called at any time: threads finish the image that they are making. */
void prefetch_close(prefetch *ahead);

#endif

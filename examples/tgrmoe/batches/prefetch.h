/* SPDX-License-Identifier: MIT */
/* Batches made ahead by threads of their own. What a batch holds and which comes when is up to the caller's functions,
 * which get its number: the threads decide nothing but how soon it is ready. */
#ifndef TOOL_BATCHES_PREFETCH_H
#define TOOL_BATCHES_PREFETCH_H

#include "batches/batch.h"

typedef struct prefetch_work {
    void *user;
    /* Which images make up batch `number`, counted from 0: fills batch->ids, sets batch->count (0: there are no more),
     * batch->epoch and batch->number. Called for one batch after the other, never by two threads at once. */
    void (*plan)(void *user, int64_t number, tool_batch *batch);
    /* Makes image batch->ids[place], for thread `worker`. A failure comes out of prefetch_next. */
    int (*make)(void *user, int worker, tool_batch *batch, int64_t place);
    /* NULL, or what is left to do when all images of a batch are there. */
    int (*finish)(void *user, tool_batch *batch);
} prefetch_work;

enum { PREFETCH_THREADS_MOST = 64 };

typedef struct prefetch prefetch;

/* Starts `threads` threads, which keep `depth` batches filled, one of which the caller holds at a time. The batches are
 * the caller's, and must stay. */
int prefetch_open(prefetch **out, const prefetch_work *work, tool_batch *batches, int depth, int threads);
/* The next batch, or NULL after the last. It is the caller's until the next call. When images of a batch failed, fails
 * with the message of the first of them, now and from then on. */
int prefetch_next(prefetch *ahead, const tool_batch **batch);
/* At any moment: threads finish the image that they are at. */
void prefetch_close(prefetch *ahead);

#endif

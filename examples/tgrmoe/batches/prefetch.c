/* SPDX-License-Identifier: MIT */
/* A ring of batches. One lock guards everything except the images themselves. Threads take one image at a time, so that
 * the batch that is needed first is ready first. */
#include "batches/prefetch.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "failure.h"

enum { MESSAGE_SIZE = 1024 };

typedef struct slot {
    tool_batch *batch;
    int64_t taken, done;        /* images begun, images finished */
    int64_t failed;             /* the first place that failed, or -1 */
    int ready;                  /* finished, successfully or not */
    char message[MESSAGE_SIZE]; /* of the failure */
} slot;

typedef struct worker {
    struct prefetch *ahead;
    int number;
    pthread_t thread;
} worker;

struct prefetch {
    prefetch_work work;
    pthread_mutex_t lock;
    pthread_cond_t room, ready; /* for threads, for the caller */
    slot *slots;                /* [depth]; batch n is in slot n % depth */
    int64_t depth;
    int64_t planned;  /* batches that have their images chosen */
    int64_t given;    /* batches that the caller was given */
    int64_t returned; /* how many of these it has given back */
    int ended;        /* no more batches will be planned */
    int stop;
    worker *workers;
    int started;
};

static slot *slot_of(const prefetch *ahead, int64_t number) {
    return &ahead->slots[number % ahead->depth];
}

/* Chooses the images of the next batch. Call locked. */
static void plan_next(prefetch *ahead) {
    slot *next = slot_of(ahead, ahead->planned);
    next->taken = 0;
    next->done = 0;
    next->failed = -1;
    next->ready = 0;
    ahead->work.plan(ahead->work.user, ahead->planned, next->batch);
    if (next->batch->count > 0) {
        ahead->planned++;
    } else {
        ahead->ended = 1;
    }
    pthread_cond_broadcast(&ahead->ready);
    pthread_cond_broadcast(&ahead->room);
}

/* Waits for work: the number of the batch whose next image is to be made, or -1 if there is nothing left. Call
 * locked. */
static int64_t find_work(prefetch *ahead) {
    while (!ahead->stop) {
        const int64_t last = ahead->planned - 1;
        if (ahead->planned > 0 && slot_of(ahead, last)->taken < slot_of(ahead, last)->batch->count) return last;
        if (ahead->ended) return -1;
        if (ahead->planned - ahead->returned < ahead->depth) {
            plan_next(ahead);
        } else {
            pthread_cond_wait(&ahead->room, &ahead->lock);
        }
    }
    return -1;
}

/* Keeps the message of the first place that failed, regardless of which failed first in time. Call locked. */
static void record_failure(prefetch *ahead, slot *of, int64_t place) {
    ahead->ended = 1;
    if (of->failed >= 0 && of->failed <= place) return;
    of->failed = place;
    snprintf(of->message, sizeof of->message, "%s", failure_message());
}

/* Holds the lock except while an image is being made. */
static void make_next(prefetch *ahead, const worker *by, int64_t number) {
    slot *of = slot_of(ahead, number);
    const int64_t place = of->taken++;
    pthread_mutex_unlock(&ahead->lock);
    int result = ahead->work.make(ahead->work.user, by->number, of->batch, place);
    pthread_mutex_lock(&ahead->lock);
    if (result != 0) record_failure(ahead, of, place);
    if (++of->done < of->batch->count) return;
    if (of->failed < 0 && ahead->work.finish) {
        pthread_mutex_unlock(&ahead->lock);
        result = ahead->work.finish(ahead->work.user, of->batch);
        pthread_mutex_lock(&ahead->lock);
        if (result != 0) record_failure(ahead, of, 0);
    }
    of->ready = 1;
    pthread_cond_broadcast(&ahead->ready);
}

static void *run(void *user) {
    const worker *self = user;
    prefetch *ahead = self->ahead;
    pthread_mutex_lock(&ahead->lock);
    for (;;) {
        const int64_t number = find_work(ahead);
        if (number < 0) break;
        make_next(ahead, self, number);
    }
    pthread_mutex_unlock(&ahead->lock);
    return NULL;
}

int prefetch_open(prefetch **out, const prefetch_work *work, tool_batch *batches, int depth, int threads) {
    int result = 0;
    prefetch *ahead = calloc(1, sizeof *ahead);
    if (!ahead) return fail_with("no memory for reading ahead");
    ahead->work = *work;
    ahead->depth = depth;
    pthread_mutex_init(&ahead->lock, NULL);
    pthread_cond_init(&ahead->room, NULL);
    pthread_cond_init(&ahead->ready, NULL);
    ahead->slots = calloc((size_t)depth, sizeof *ahead->slots);
    ahead->workers = calloc((size_t)threads, sizeof *ahead->workers);
    if (!ahead->slots || !ahead->workers) TRY(fail_with("no memory for reading ahead"));
    for (int i = 0; i < depth; i++) ahead->slots[i].batch = &batches[i];
    for (int i = 0; i < threads; i++) {
        ahead->workers[i] = (worker){.ahead = ahead, .number = i};
        if (pthread_create(&ahead->workers[i].thread, NULL, run, &ahead->workers[i]) != 0) break;
        ahead->started++;
    }
    if (ahead->started == 0) TRY(fail_with("could not start a thread for reading ahead"));
    *out = ahead;
    ahead = NULL;
done:
    prefetch_close(ahead);
    return result;
}

int prefetch_next(prefetch *ahead, const tool_batch **batch) {
    int result = 0;
    *batch = NULL;
    pthread_mutex_lock(&ahead->lock);
    if (ahead->returned < ahead->given) {
        ahead->returned++;
        pthread_cond_broadcast(&ahead->room);
    }
    const slot *next = slot_of(ahead, ahead->given);
    while (ahead->given < ahead->planned ? !next->ready : !ahead->ended) {
        pthread_cond_wait(&ahead->ready, &ahead->lock);
    }
    if (ahead->given < ahead->planned) {
        if (next->failed >= 0) TRY(fail_with("%s", next->message));
        ahead->given++;
        *batch = next->batch;
    }
done:
    pthread_mutex_unlock(&ahead->lock);
    return result;
}

void prefetch_close(prefetch *ahead) {
    if (!ahead) return;
    pthread_mutex_lock(&ahead->lock);
    ahead->stop = 1;
    pthread_cond_broadcast(&ahead->room);
    pthread_mutex_unlock(&ahead->lock);
    for (int i = 0; i < ahead->started; i++) pthread_join(ahead->workers[i].thread, NULL);
    pthread_cond_destroy(&ahead->ready);
    pthread_cond_destroy(&ahead->room);
    pthread_mutex_destroy(&ahead->lock);
    free(ahead->slots);
    free(ahead->workers);
    free(ahead);
}

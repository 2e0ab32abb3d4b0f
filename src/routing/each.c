/* SPDX-License-Identifier: MIT */
/* A task is a block of indices. */
#include "routing/each.h"

#include <string.h>

#define BLOCK 64

typedef struct each_job {
    int64_t count;
    const void *job;
    tgr_each_fn fn;
    tgr_sum_fn sum_fn;
    int64_t width;
    double *partial; /* [blocks, width] */
} each_job;

int64_t tgr_each_blocks(int64_t count) {
    return count / BLOCK + (count % BLOCK != 0);
}

static int64_t block_end(int64_t block, int64_t count) {
    int64_t end = (block + 1) * BLOCK;
    return end < count ? end : count;
}

static void each_task(void *data, int64_t block, int worker) {
    const each_job *all = data;
    int64_t end = block_end(block, all->count);
    (void)worker;
    for (int64_t i = block * BLOCK; i < end; i++) all->fn(all->job, i);
}

void tgr_each(const tgr_compute *compute, int64_t count, tgr_each_fn fn, const void *job) {
    each_job all = {.count = count, .job = job, .fn = fn};
    tgr_parallel(compute, tgr_each_blocks(count), each_task, &all);
}

static void sum_task(void *data, int64_t block, int worker) {
    const each_job *all = data;
    int64_t end = block_end(block, all->count);
    double *sum = all->partial + block * all->width;
    (void)worker;
    memset(sum, 0, (size_t)all->width * sizeof *sum);
    for (int64_t i = block * BLOCK; i < end; i++) all->sum_fn(all->job, i, sum);
}

void tgr_sum_each(const tgr_compute *compute, int64_t count, tgr_sum_fn fn, const void *job, int64_t width,
                  double *partial, double *sum) {
    each_job all = {.count = count, .job = job, .sum_fn = fn, .width = width, .partial = partial};
    int64_t blocks = tgr_each_blocks(count);
    tgr_parallel(compute, blocks, sum_task, &all);
    for (int64_t i = 0; i < width; i++) {
        sum[i] = 0;
        for (int64_t block = 0; block < blocks; block++) sum[i] += partial[block * width + i];
    }
}

/* SPDX-License-Identifier: MIT */
/* Copying and clearing large buffers, one chunk per task. */
#include "kernels/copy.h"

#include <string.h>

#define CHUNK_FLOATS (64 * 1024)

typedef struct copy_job {
    int64_t count;
    const float *from;
    float *to;
} copy_job;

static void copy_task(void *data, int64_t task, int worker) {
    const copy_job *job = data;
    int64_t first = task * CHUNK_FLOATS, left = job->count - first;
    size_t bytes = (size_t)(left < CHUNK_FLOATS ? left : CHUNK_FLOATS) * sizeof(float);
    (void)worker;
    if (job->from != NULL)
        memcpy(job->to + first, job->from + first, bytes);
    else
        memset(job->to + first, 0, bytes);
}

void tgr_copy(const tgr_compute *compute, int64_t count, const float *from, float *to) {
    copy_job job = {.count = count, .from = from, .to = to};
    tgr_parallel(compute, count / CHUNK_FLOATS + (count % CHUNK_FLOATS != 0), copy_task, &job);
}

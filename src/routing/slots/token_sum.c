/* SPDX-License-Identifier: MIT */
/* Loops over tokens in blocks, with sums by block. */
#include "routing/slots/token_sum.h"

#include <string.h>

typedef struct token_job {
    const tgr_routing *routing;
    tgr_token_fn fn;
    const void *user;
    int64_t width;
} token_job;

static void token_task(void *data, int64_t block, int worker) {
    const token_job *job = data;
    (void)worker;
    double *sum = job->routing->partial + block * job->width;
    memset(sum, 0, (size_t)job->width * sizeof *sum);
    int64_t end = tgr_token_block_end(block, job->routing->tokens);
    for (int64_t t = block * TGR_TOKEN_BLOCK; t < end; t++) job->fn(job->routing, t, job->user, sum);
}

void tgr_each_token(const tgr_routing *routing, tgr_token_fn fn, const void *user, int64_t width, double *sum) {
    token_job job = {.routing = routing, .fn = fn, .user = user, .width = width};
    int64_t blocks = tgr_token_blocks(routing->tokens);
    tgr_parallel(routing->compute, blocks, token_task, &job);
    for (int64_t i = 0; i < width; i++) {
        sum[i] = 0;
        for (int64_t block = 0; block < blocks; block++) sum[i] += routing->partial[block * width + i];
    }
}

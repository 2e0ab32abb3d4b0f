/* SPDX-License-Identifier: MIT */
/* Worker threads that sleep until there is a job.
 *
 * Threads do not survive fork(): in a child process an inherited pool runs jobs on the caller alone. */
#ifndef TGR_BASE_POOL_H
#define TGR_BASE_POOL_H

#include "tgrmoe/context.h"

void tgr_pool_retain(tgr_pool *pool);
int tgr_pool_workers(const tgr_pool *pool);
/* See tgr_parallel. */
void tgr_pool_run(tgr_pool *pool, int64_t tasks, tgr_task_fn fn, void *job);
/* No job runs between these two: for changing what tasks use. Calling tgr_pool_run in between would deadlock. */
void tgr_pool_lock(tgr_pool *pool);
void tgr_pool_unlock(tgr_pool *pool);

#endif

/* SPDX-License-Identifier: MIT */
/* One step of training. */
#ifndef TOOL_RUN_STEP_H
#define TOOL_RUN_STEP_H

#include "batches/reader.h"
#include "run/run.h"

/* Takes the next batch of `reader` and moves the weights by it. *loss is that of the batch, *images how many it has. */
int run_step(tool_run *run, image_reader *reader, double *loss, int64_t *images);

#endif

/* SPDX-License-Identifier: MIT */
/* One step of training. */
#ifndef TOOL_RUN_STEP_H
#define TOOL_RUN_STEP_H

#include "batches/reader.h"
#include "run/run.h"

/* Trains with the reader's next batch; *loss and *images are the loss and the number of images of that batch. */
int run_step(tool_run *run, image_reader *reader, double *loss, int64_t *images);

#endif

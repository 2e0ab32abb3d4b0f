/* SPDX-License-Identifier: MIT */
/* What --json writes: a line with an object for each epoch, and a final one for the whole run. */
#ifndef TOOL_RUN_EPOCH_LOG_H
#define TOOL_RUN_EPOCH_LOG_H

#include <stdio.h>

#include "run/run.h"

/* The results of one epoch. */
typedef struct tool_epoch {
    int64_t number;           /* from 1 */
    double images_per_second; /* of training only */
    double seconds;           /* including evaluation */
    double loss;              /* mean over steps */
    double terms[LOSS_TERM_COUNT];
    double top1;                 /* percent */
    double adjacent_consistency; /* NAN for the first epoch and for a dense model */
    double load_cv;              /* of the probe; NAN for a dense model */
} tool_epoch;

/* Opens `path` for writing. Keeps the lines of the first `keep` epochs, which were written before the run was
 * paused. */
int epoch_log_open(FILE **out, const char *path, int64_t keep);
int epoch_log_write(FILE *log, const tool_run *run, const tool_epoch *epoch);
/* The probe's latest run is the final routing, with which each of the `epochs` is compared. */
int epoch_log_finish(FILE *log, const tool_run *run, double top1, int64_t epochs);
/* Writes a file that consists of a final line with these numbers. */
int json_write_final(const char *path, const char *const *keys, const double *values, int count);

#endif

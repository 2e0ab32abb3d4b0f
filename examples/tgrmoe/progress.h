/* SPDX-License-Identifier: MIT */
/* Progress of training: a bar on a terminal, otherwise an occasional line. Everything goes to standard error. */
#ifndef TOOL_PROGRESS_H
#define TOOL_PROGRESS_H

#include <stdint.h>

/* Trainings that come after this one. */
typedef struct later_trainings {
    double seconds;  /* that those of known length will take */
    int64_t unknown; /* how many there are of unknown length */
} later_trainings;

typedef struct tool_progress {
    int terminal;
    double shown; /* when the bar or line was last written, in seconds */
    int64_t epochs, steps_per_epoch, end_step, batch;
    const later_trainings *later;
} tool_progress;

/* Seconds on a monotonic clock. */
double clock_seconds(void);

/* `later`: NULL, or the trainings after this one; then the total time left is shown too. */
void progress_start(tool_progress *progress, int64_t steps_per_epoch, int64_t end_step, int64_t batch,
                    const later_trainings *later);
/* Call after each step; `speed` is in images per second. Writes at most a few times a second. */
void progress_show(tool_progress *progress, int64_t step, double loss, double speed);
/* Erases the bar so that other lines can be written. */
void progress_clear(const tool_progress *progress);

#endif

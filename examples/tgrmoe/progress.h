/* SPDX-License-Identifier: MIT */
/* How far training is: a bar on a terminal, a line now and then elsewhere. All of it goes to standard error. */
#ifndef TOOL_PROGRESS_H
#define TOOL_PROGRESS_H

#include <stdint.h>

/* Trainings that come after this one. */
typedef struct later_trainings {
    double seconds;  /* that they will take */
    int64_t unknown; /* and how many more there are of which nothing is known */
} later_trainings;

typedef struct tool_progress {
    int terminal;
    double shown; /* when the bar or line was last written */
    int64_t epochs, steps_per_epoch, end_step, batch;
    const later_trainings *later;
} tool_progress;

/* Seconds on a clock that only goes forward. */
double clock_seconds(void);

/* `later` NULL, or what else is to be trained: then the time left of all is shown too. */
void progress_start(tool_progress *progress, int64_t steps_per_epoch, int64_t end_step, int64_t batch,
                    const later_trainings *later);
/* After `step` steps; `speed` in images per second. Mostly does nothing: it writes a few times a second at most. */
void progress_show(tool_progress *progress, int64_t step, double loss, double speed);
/* Takes the bar away, so that other lines can be written. */
void progress_clear(const tool_progress *progress);

#endif

/* SPDX-License-Identifier: MIT */
/* The bar, redrawn in place, and the plain line used where there is no terminal. */
#include "progress.h"

#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { BAR_WIDTH = 24 };
static const double BAR_SECONDS = 0.2, LINE_SECONDS = 10;

double clock_seconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

void progress_start(tool_progress *progress, int64_t steps_per_epoch, int64_t end_step, int64_t batch,
                    const later_trainings *later) {
    *progress = (tool_progress){.terminal = isatty(STDERR_FILENO),
                                .shown = clock_seconds(),
                                .epochs = (end_step + steps_per_epoch - 1) / steps_per_epoch,
                                .steps_per_epoch = steps_per_epoch,
                                .end_step = end_step,
                                .batch = batch,
                                .later = later};
}

static void show_time(double seconds, const char *what) {
    const long long whole = (long long)seconds, hours = whole / 3600;
    if (hours > 0) fprintf(stderr, "  %lld:%02lld:%02lld %s", hours, whole / 60 % 60, whole % 60, what);
    if (hours == 0) fprintf(stderr, "  %lld:%02lld %s", whole / 60, whole % 60, what);
}

/* Later trainings of unknown length are assumed to take as long as this one. */
static void show_time_left(const tool_progress *progress, int64_t step, double speed) {
    const later_trainings *later = progress->later;
    const double step_seconds = speed > 0 ? (double)progress->batch / speed : 0;
    const double left = (double)(progress->end_step - step) * step_seconds;
    show_time(left, "left");
    if (!later || (later->seconds <= 0 && later->unknown == 0)) return;
    const double unknown = (double)(later->unknown * progress->end_step) * step_seconds;
    show_time(left + later->seconds + unknown, "left of all");
}

void progress_show(tool_progress *progress, int64_t step, double loss, double speed) {
    const double now = clock_seconds();
    if (now - progress->shown < (progress->terminal ? BAR_SECONDS : LINE_SECONDS)) return;
    progress->shown = now;
    const int64_t epoch = (step - 1) / progress->steps_per_epoch, inside = step - epoch * progress->steps_per_epoch;
    const int filled = (int)(BAR_WIDTH * inside / progress->steps_per_epoch);
    char bar[BAR_WIDTH + 1];
    memset(bar, '.', BAR_WIDTH);
    memset(bar, '#', (size_t)filled);
    bar[BAR_WIDTH] = '\0';
    const int percent = (int)(100 * inside / progress->steps_per_epoch);
    fprintf(stderr, "%sepoch %lld/%lld ", progress->terminal ? "\r" : "", (long long)epoch + 1,
            (long long)progress->epochs);
    if (progress->terminal) fprintf(stderr, "[%s] ", bar);
    fprintf(stderr, "%3d %%  loss %.4f  %.*f images/s", percent, loss, speed < 10 ? 1 : 0, speed);
    show_time_left(progress, step, speed);
    fputs(progress->terminal ? "\033[K" : "\n", stderr);
    fflush(stderr);
}

void progress_clear(const tool_progress *progress) {
    if (!progress->terminal) return;
    fputs("\r\033[K", stderr);
    fflush(stderr);
}

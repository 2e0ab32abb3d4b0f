/* SPDX-License-Identifier: MIT */
/* What is compared: the rows of a report, each a mean over seeds, and the runs that they are made of. */
#ifndef TOOL_REPORT_COMPARISON_H
#define TOOL_REPORT_COMPARISON_H

#include <stdint.h>

enum { COMPARE_TEXT = 96, COMPARE_PATH = 4096 };

typedef struct compare_row {
    const char *section; /* of the report */
    char label[COMPARE_TEXT];
    char method[48]; /* as the user wrote it */
    int64_t experts; /* in a sweep, otherwise 0 */
    int first_run;   /* into row_runs, one for each seed */
} compare_row;

typedef struct comparison {
    const char *data, *out; /* the folders of the images and of the comparison */
    int64_t limit, epochs;  /* of each run; limit 0: all images */
    int64_t seeds, first_seed;
    char (*run_names)[COMPARE_TEXT]; /* [run_count], of their files */
    int run_count;
    compare_row *rows;
    int row_count;
    int *row_runs; /* [row_count, seeds], indices of runs */
} comparison;

/* The sections that are not ablations. */
extern const char compare_methods[], compare_sweep[];

/* "OUT/runs/NAME.ENDING" of a run. */
void compare_path(char path[COMPARE_PATH], const comparison *of, int run, const char *ending);
void comparison_free(comparison *of);

#endif

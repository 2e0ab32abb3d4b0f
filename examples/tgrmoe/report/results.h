/* SPDX-License-Identifier: MIT */
/* The results of a comparison: statistics over seeds, from which tables, figures and CSV are written. */
#ifndef TOOL_REPORT_RESULTS_H
#define TOOL_REPORT_RESULTS_H

#include "report/comparison.h"
#include "report/run_record.h"

typedef struct compare_results {
    const comparison *compared;
    run_record *records; /* [compared->run_count]; where there is none yet, its `ended` is 0 */
    int ended;           /* how many have ended */
} compare_results;

/* Over those seeds that have the number. */
typedef struct compare_statistic {
    double mean, deviation; /* sample standard deviation, NAN if count is below 2 */
    int count;
} compare_statistic;

/* One number of a run: a column of the tables. */
typedef struct compare_column {
    const char *key, *title, *help;
    int digits;
    int better; /* 1: higher is better, -1: lower is better, 0: neither */
    double (*value)(const run_record *record);
} compare_column;

extern const compare_column compare_columns[];
extern const int compare_column_count;

/* Reads the records of all runs that have ended. */
int compare_results_read(compare_results *out, const comparison *compared);
void compare_results_free(compare_results *results);
/* The record of a row for the `seed`-th seed (from 0), or NULL. */
const run_record *compare_record(const compare_results *results, int row, int64_t seed);
compare_statistic compare_row_statistic(const compare_results *results, int row, const compare_column *column);
/* One epoch of a series, from 0. */
compare_statistic compare_epoch_statistic(const compare_results *results, int row, record_series series, int64_t epoch);
/* The most epochs that a run of the row has. */
int64_t compare_row_epochs(const compare_results *results, int row);
/* Whether any row of the section (NULL: of the whole report) has a number in the column. */
int compare_column_used(const compare_results *results, const char *section, const compare_column *column);

#endif

/* SPDX-License-Identifier: MIT */
/* The columns of the tables; reading records; means and deviations. */
#include "report/results.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "failure.h"

static double top1(const run_record *record) {
    return record->top1;
}
static double adjacent(const run_record *record) {
    return mean_of(record->series[RECORD_ADJACENT], record->epochs);
}
/* The last epoch trivially agrees with itself, so it is left out. */
static double final_agreement(const run_record *record) {
    return mean_of(record->series[RECORD_FINAL], record->epochs - 1);
}
static double load_cv(const run_record *record) {
    return last_of(record, RECORD_LOAD_CV);
}
static double dropped(const run_record *record) {
    return 100 * last_of(record, RECORD_DROPPED);
}
static double speed(const run_record *record) {
    return mean_of(record->series[RECORD_SPEED], record->epochs);
}
static double parameters(const run_record *record) {
    return record->parameters;
}
static double active_parameters(const run_record *record) {
    return record->active_parameters;
}
static double kept(const run_record *record) {
    return record->init_consistency;
}

const compare_column compare_columns[] = {
    {"top1", "top-1 %", "test images whose label has the largest logit", 2, 1, top1},
    {"adjacent", "adjacent agreement",
     "share of probe tokens that go to the same expert as one epoch before, mean over epochs", 3, 1, adjacent},
    {"final", "final agreement", "share that go to their final expert, mean over epochs except the last", 3, 1,
     final_agreement},
    {"kept", "kept", "share that go to the same expert as before fine-tuning", 3, 1, kept},
    {"load_cv", "load CV", "deviation over mean of the experts' loads at the end, mean over layers", 2, -1, load_cv},
    {"dropped", "dropped %", "choices of the probe's tokens that got no slot, at the end", 2, -1, dropped},
    {"images_per_second", "images/s", "of training on this machine", 0, 0, speed},
    {"parameters", "parameters", "trained numbers in all", 0, 0, parameters},
    {"active_parameters", "active", "trained numbers that one token uses", 0, 0, active_parameters},
};
const int compare_column_count = sizeof compare_columns / sizeof *compare_columns;

int compare_results_read(compare_results *out, const comparison *compared) {
    int result = 0;
    compare_results results = {.compared = compared,
                               .records = calloc((size_t)compared->run_count + 1, sizeof *out->records)};
    if (!results.records) TRY(fail_with("no memory for %d runs", compared->run_count));
    for (int i = 0; i < compared->run_count; i++) {
        char path[COMPARE_PATH];
        compare_path(path, compared, i, "json");
        if (access(path, F_OK) != 0 || run_record_read(&results.records[i], path) != 0) continue; /* not begun */
        if (!results.records[i].ended) run_record_free(&results.records[i]);
        results.ended += results.records[i].ended;
    }
    *out = results;
    results = (compare_results){0};
done:
    compare_results_free(&results);
    return result;
}

void compare_results_free(compare_results *results) {
    for (int i = 0; results->records && i < results->compared->run_count; i++) run_record_free(&results->records[i]);
    free(results->records);
    *results = (compare_results){0};
}

const run_record *compare_record(const compare_results *results, int row, int64_t seed) {
    const comparison *compared = results->compared;
    const run_record *record = &results->records[compared->row_runs[compared->rows[row].first_run + seed]];
    return record->ended ? record : NULL;
}

/* Adds a number to the sums from which `summarise` makes a statistic: mean and squares by Welford's recurrence. */
static void add(compare_statistic *sums, double value) {
    if (!isfinite(value)) return;
    const double before = value - sums->mean;
    sums->count++;
    sums->mean += before / sums->count;
    sums->deviation += before * (value - sums->mean);
}

static compare_statistic summarise(compare_statistic sums) {
    if (sums.count == 0) sums.mean = NAN;
    sums.deviation = sums.count > 1 ? sqrt(sums.deviation / (sums.count - 1)) : NAN;
    return sums;
}

compare_statistic compare_row_statistic(const compare_results *results, int row, const compare_column *column) {
    compare_statistic sums = {0};
    for (int64_t seed = 0; seed < results->compared->seeds; seed++) {
        const run_record *record = compare_record(results, row, seed);
        if (record) add(&sums, column->value(record));
    }
    return summarise(sums);
}

compare_statistic compare_epoch_statistic(const compare_results *results, int row, record_series series,
                                          int64_t epoch) {
    compare_statistic sums = {0};
    for (int64_t seed = 0; seed < results->compared->seeds; seed++) {
        const run_record *record = compare_record(results, row, seed);
        if (record && epoch < record->epochs) add(&sums, record->series[series][epoch]);
    }
    return summarise(sums);
}

int64_t compare_row_epochs(const compare_results *results, int row) {
    int64_t most = 0;
    for (int64_t seed = 0; seed < results->compared->seeds; seed++) {
        const run_record *record = compare_record(results, row, seed);
        if (record && record->epochs > most) most = record->epochs;
    }
    return most;
}

int compare_column_used(const compare_results *results, const char *section, const compare_column *column) {
    for (int row = 0; row < results->compared->row_count; row++) {
        if (section && strcmp(results->compared->rows[row].section, section) != 0) continue;
        if (compare_row_statistic(results, row, column).count > 0) return 1;
    }
    return 0;
}

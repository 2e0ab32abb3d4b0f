/* SPDX-License-Identifier: MIT */
/* report.md: the tables of the report, for a page of documents. */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "failure.h"
#include "report/results.h"

static int column_used(const compare_results *results, const char *section, const compare_column *column) {
    for (int row = 0; row < results->plan->row_count; row++) {
        if (strcmp(results->plan->rows[row].section, section) != 0) continue;
        if (compare_row_statistic(results, row, column).count > 0) return 1;
    }
    return 0;
}

static void write_cell(FILE *to, const compare_results *results, int row, const compare_column *column) {
    const compare_statistic statistic = compare_row_statistic(results, row, column);
    if (statistic.count > 0) fprintf(to, " %.*f", column->digits, statistic.mean);
    if (isfinite(statistic.deviation) && statistic.deviation > 0) {
        fprintf(to, " ± %.*f", column->digits, statistic.deviation);
    }
    fputs(" |", to);
}

static void write_section(FILE *to, const compare_results *results, const char *section) {
    const compare_plan *plan = results->plan;
    fprintf(to, "## %s\n\n| |", section);
    for (int i = 0; i < compare_column_count; i++) {
        if (column_used(results, section, &compare_columns[i])) fprintf(to, " %s |", compare_columns[i].title);
    }
    fputs("\n|---|", to);
    for (int i = 0; i < compare_column_count; i++) {
        if (column_used(results, section, &compare_columns[i])) fputs("---|", to);
    }
    fputc('\n', to);
    for (int row = 0; row < plan->row_count; row++) {
        if (strcmp(plan->rows[row].section, section) != 0) continue;
        fprintf(to, "| %s", plan->rows[row].label);
        if (plan->rows[row].experts > 0) fprintf(to, ", E = %lld", (long long)plan->rows[row].experts);
        fputs(" |", to);
        for (int i = 0; i < compare_column_count; i++) {
            if (column_used(results, section, &compare_columns[i])) write_cell(to, results, row, &compare_columns[i]);
        }
        fputc('\n', to);
    }
    fputc('\n', to);
}

int markdown_report_write(const compare_results *results, const char *path) {
    int result = 0;
    const compare_plan *plan = results->plan;
    FILE *file = fopen(path, "w");
    if (!file) TRY(fail_with("%s: %s", path, strerror(errno)));
    for (int row = 0; row < plan->row_count; row++) {
        if (row > 0 && strcmp(plan->rows[row].section, plan->rows[row - 1].section) == 0) continue;
        write_section(file, results, plan->rows[row].section);
    }
    if (ferror(file)) TRY(fail_with("%s: cannot write", path));
done:
    if (file && fclose(file) != 0 && result == 0) result = fail_with("%s: %s", path, strerror(errno));
    return result;
}

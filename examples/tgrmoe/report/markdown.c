/* SPDX-License-Identifier: MIT */
/* The same columns as in the HTML page. */
#include "report/markdown.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "failure.h"

static void write_cell(FILE *to, const compare_results *results, int row, const compare_column *column) {
    const compare_statistic statistic = compare_row_statistic(results, row, column);
    if (statistic.count > 0) fprintf(to, " %.*f", column->digits, statistic.mean);
    if (isfinite(statistic.deviation) && statistic.deviation > 0) {
        fprintf(to, " ± %.*f", column->digits, statistic.deviation);
    }
    fputs(" |", to);
}

static void write_section(FILE *to, const compare_results *results, const char *section) {
    const comparison *compared = results->compared;
    fprintf(to, "## %s\n\n| |", section);
    for (int i = 0; i < compare_column_count; i++) {
        if (compare_column_used(results, section, &compare_columns[i])) fprintf(to, " %s |", compare_columns[i].title);
    }
    fputs("\n|---|", to);
    for (int i = 0; i < compare_column_count; i++) {
        if (compare_column_used(results, section, &compare_columns[i])) fputs("---|", to);
    }
    fputc('\n', to);
    for (int row = 0; row < compared->row_count; row++) {
        if (strcmp(compared->rows[row].section, section) != 0) continue;
        fprintf(to, "| %s", compared->rows[row].label);
        if (compared->rows[row].experts > 0) fprintf(to, ", E = %lld", (long long)compared->rows[row].experts);
        fputs(" |", to);
        for (int i = 0; i < compare_column_count; i++) {
            if (compare_column_used(results, section, &compare_columns[i]))
                write_cell(to, results, row, &compare_columns[i]);
        }
        fputc('\n', to);
    }
    fputc('\n', to);
}

int markdown_report_write(const compare_results *results, const char *path) {
    int result = 0;
    const comparison *compared = results->compared;
    FILE *file = fopen(path, "w");
    if (!file) TRY(fail_with("%s: %s", path, strerror(errno)));
    for (int row = 0; row < compared->row_count; row++) {
        if (row > 0 && strcmp(compared->rows[row].section, compared->rows[row - 1].section) == 0) continue;
        write_section(file, results, compared->rows[row].section);
    }
    if (ferror(file)) TRY(fail_with("%s: cannot write", path));
done:
    if (file && fclose(file) != 0 && result == 0) result = fail_with("%s: %s", path, strerror(errno));
    return result;
}

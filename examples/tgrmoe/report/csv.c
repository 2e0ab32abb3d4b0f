/* SPDX-License-Identifier: MIT */
/* A line for each row of the report, seed and epoch. Results of the whole run are repeated in each of its lines. A cell
 * without a number is empty. */
#include "report/csv.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "failure.h"

static void write_number(FILE *to, double value) {
    fputc(',', to);
    if (isfinite(value)) fprintf(to, "%.9g", value);
}

static void write_text(FILE *to, const char *text) {
    fputc('"', to);
    for (; *text; text++) {
        if (*text == '"') fputc('"', to);
        fputc(*text, to);
    }
    fputc('"', to);
}

/* "0.2 0.8|0.5 0.5": experts separated by spaces, layers by bars. */
static void write_load(FILE *to, const run_record *record, int last_epoch) {
    fputs(",\"", to);
    for (int64_t i = 0; last_epoch && i < record->layers * record->experts; i++) {
        fprintf(to, "%s%.4f", i == 0 ? "" : i % record->experts == 0 ? "|" : " ", record->load[i]);
    }
    fputc('"', to);
}

static void write_line(FILE *to, const compare_row *row, const run_record *record, int64_t seed, int64_t epoch) {
    const int has_epoch = epoch < record->epochs;
    write_text(to, row->section);
    fputc(',', to);
    write_text(to, row->label);
    fprintf(to, ",%s,%lld,", row->method, (long long)seed);
    if (record->experts > 0) fprintf(to, "%lld", (long long)record->experts);
    write_number(to, has_epoch ? (double)epoch + 1 : NAN);
    for (int i = 0; i < RECORD_SERIES; i++) write_number(to, has_epoch ? record->series[i][epoch] : NAN);
    for (int i = 0; i < compare_column_count; i++) write_number(to, compare_columns[i].value(record));
    write_load(to, record, epoch == record->epochs - 1);
    fputc('\n', to);
}

static void write_header(FILE *to) {
    fputs("section,row,method,seed,experts,epoch", to);
    for (int i = 0; i < RECORD_SERIES; i++) fprintf(to, ",epoch_%s", record_key((record_series)i));
    for (int i = 0; i < compare_column_count; i++) fprintf(to, ",run_%s", compare_columns[i].key);
    fputs(",final_load\n", to);
}

int csv_report_write(const compare_results *results, const char *path) {
    int result = 0;
    const comparison *compared = results->compared;
    FILE *file = fopen(path, "w");
    if (!file) TRY(fail_with("%s: %s", path, strerror(errno)));
    write_header(file);
    for (int row = 0; row < compared->row_count; row++) {
        for (int64_t i = 0; i < compared->seeds; i++) {
            const run_record *record = compare_record(results, row, i);
            int64_t epoch = 0;
            if (!record) continue;
            do { /* an evaluation has no epochs but one line */
                write_line(file, &compared->rows[row], record, compared->first_seed + i, epoch++);
            } while (epoch < record->epochs);
        }
    }
    if (ferror(file)) TRY(fail_with("%s: cannot write", path));
done:
    if (file && fclose(file) != 0 && result == 0) result = fail_with("%s: %s", path, strerror(errno));
    return result;
}

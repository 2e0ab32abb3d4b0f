/* SPDX-License-Identifier: MIT */
/* Each cell is a mean over seeds with its deviation. */
#include "report/html_table.h"

#include <math.h>
#include <string.h>

#include "report/html_style.h"
#include "report/markup.h"

/* The best mean of the section, or NAN if the column has no better or worse. */
static double best_of(const compare_results *results, const char *section, const compare_column *column) {
    double best = NAN, worst = NAN;
    for (int row = 0; row < results->compared->row_count && column->better != 0; row++) {
        if (strcmp(results->compared->rows[row].section, section) != 0) continue;
        const double mean = compare_row_statistic(results, row, column).mean * column->better;
        if (!isfinite(mean)) continue;
        best = fmax(best, mean);
        worst = fmin(worst, mean);
    }
    return best - worst > pow(10, -column->digits) / 2 ? best * column->better : NAN;
}

/* With thin spaces as thousands separators. */
static void write_value(FILE *to, double value, int digits) {
    char text[64];
    snprintf(text, sizeof text, "%.*f", digits, value);
    const size_t whole = strcspn(text, ".");
    for (size_t i = 0; text[i] != '\0'; i++) {
        if (i > 0 && i < whole && (whole - i) % 3 == 0 && text[i - 1] != '-') fputs("&#8239;", to);
        fputc(text[i], to);
    }
}

static void write_cell(FILE *to, const compare_results *results, int row, const compare_column *column, double best) {
    const compare_statistic statistic = compare_row_statistic(results, row, column);
    const double unit = pow(10, -column->digits);
    const int is_best = isfinite(best) && fabs(statistic.mean - best) < unit / 2;
    fputs(is_best ? "<td class=\"best\">" : "<td>", to);
    if (statistic.count == 0) {
        fputs("<span class=\"soft\">–</span></td>", to);
        return;
    }
    write_value(to, statistic.mean, column->digits);
    /* A deviation of zero, as of parameters, is not shown. */
    if (isfinite(statistic.deviation) && statistic.deviation > 0) {
        fputs(" <small>± ", to);
        write_value(to, statistic.deviation, column->digits);
        fputs("</small>", to);
    }
    fputs("</td>", to);
}

static void write_row(FILE *to, const compare_results *results, int row) {
    const comparison *compared = results->compared;
    const compare_row *shown = &compared->rows[row];
    int seeds = 0;
    for (int64_t i = 0; i < compared->seeds; i++) seeds += compare_record(results, row, i) != NULL;
    fputs("<tr><th scope=\"row\"><span class=\"name\">", to);
    if (shown->section == compare_methods || shown->section == compare_sweep) {
        html_style_sample(to, html_method_style(compared, shown->method));
    }
    markup_text(to, shown->label);
    if (shown->experts > 0) fprintf(to, ", E = %lld", (long long)shown->experts);
    if (seeds < compared->seeds)
        fprintf(to, " <small class=\"soft\">(%d of %lld)</small>", seeds, (long long)compared->seeds);
    fputs("</span></th>", to);
    for (int i = 0; i < compare_column_count; i++) {
        const compare_column *column = &compare_columns[i];
        if (!compare_column_used(results, shown->section, column)) continue;
        write_cell(to, results, row, column, best_of(results, shown->section, column));
    }
    fputs("</tr>\n", to);
}

void html_table(FILE *to, const compare_results *results, const char *section) {
    fputs("<div class=\"scroll\" tabindex=\"0\"><table>\n<thead><tr><th></th>", to);
    for (int i = 0; i < compare_column_count; i++) {
        if (!compare_column_used(results, section, &compare_columns[i])) continue;
        fprintf(to, "<th scope=\"col\" title=\"%s\">%s</th>", compare_columns[i].help, compare_columns[i].title);
    }
    fputs("</tr></thead>\n<tbody>\n", to);
    for (int row = 0; row < results->compared->row_count; row++) {
        if (strcmp(results->compared->rows[row].section, section) == 0) write_row(to, results, row);
    }
    fputs("</tbody></table></div>\n", to);
}

void html_column_meanings(FILE *to, const compare_results *results) {
    fputs("<details><summary>What the columns mean</summary>\n<dl>\n", to);
    for (int i = 0; i < compare_column_count; i++) {
        if (!compare_column_used(results, NULL, &compare_columns[i])) continue;
        fprintf(to, "<dt>%s</dt><dd>%s</dd>\n", compare_columns[i].title, compare_columns[i].help);
    }
    fputs("</dl></details>\n", to);
}

/* SPDX-License-Identifier: MIT */
/* What was compared, the results in words, then tables and figures. */
#include "report/html.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "failure.h"
#include "report/html_figures.h"
#include "report/html_page.h"
#include "report/html_table.h"
#include "report/markup.h"

/* The last component of the path, which is what people call the data. */
static void write_data_name(FILE *to, const char *path) {
    size_t length = strlen(path);
    while (length > 1 && path[length - 1] == '/') length--;
    size_t start = length;
    while (start > 0 && path[start - 1] != '/') start--;
    char name[256];
    snprintf(name, sizeof name, "%.*s", (int)(length - start), path + start);
    markup_text(to, name);
}

static void write_subject(FILE *to, const compare_results *results) {
    const comparison *compared = results->compared;
    int methods = 0;
    for (int i = 0; i < compared->row_count; i++) methods += compared->rows[i].section == compare_methods;
    fputs("<h1>Routing methods side by side</h1>\n<p>", to);
    fprintf(to, "%d method%s on ", methods, methods == 1 ? "" : "s");
    write_data_name(to, compared->data);
    if (compared->limit > 0) fprintf(to, " (the first %lld training images)", (long long)compared->limit);
    fprintf(to, ", %lld epochs, %lld seed%s each. ", (long long)compared->epochs, (long long)compared->seeds,
            compared->seeds == 1 ? "" : "s");
    fputs(
        "Runs of the same seed see the images in the same order and start from the same weights where they have the "
        "same tensors; a token gets one FFN's worth of computation in all of them, unless a setting says otherwise or "
        "the method runs all experts in training. Numbers are means ± standard deviations over seeds; bands in the "
        "figures too (where "
        "there are many "
        "curves, that of the one under the pointer).</p>\n",
        to);
    if (results->ended == compared->run_count) return;
    fprintf(to, "<p><strong>Not finished: %d of %d runs are done.</strong></p>\n", results->ended, compared->run_count);
}

/* The row of the section of methods with the best mean that is at most `limit`, or -1. */
static int best_row(const compare_results *results, const compare_column *column, double limit) {
    int best = -1;
    double most = NAN;
    for (int row = 0; row < results->compared->row_count; row++) {
        if (results->compared->rows[row].section != compare_methods) continue;
        const double mean = compare_row_statistic(results, row, column).mean;
        if (!isfinite(mean) || mean > limit || most * column->better >= mean * column->better) continue;
        best = row;
        most = mean;
    }
    return best;
}

static void write_best(FILE *to, const compare_results *results, int number, double limit, const char *what,
                       const char *unit) {
    const compare_column *column = &compare_columns[number];
    const int row = best_row(results, column, limit);
    if (row < 0) return;
    const compare_statistic statistic = compare_row_statistic(results, row, column);
    fprintf(to, "<li>%s: <strong>", what);
    markup_text(to, results->compared->rows[row].label);
    fprintf(to, "</strong>, %.*f", column->digits, statistic.mean);
    if (isfinite(statistic.deviation)) fprintf(to, " ± %.*f", column->digits, statistic.deviation);
    fprintf(to, "%s</li>\n", unit);
}

/* The difference between two means that the seed alone causes once in twenty times, estimated from the deviations of
 * all rows. */
static void write_noise(FILE *to, const compare_results *results) {
    double variance = 0;
    int rows = 0;
    for (int row = 0; row < results->compared->row_count; row++) {
        const double deviation = compare_row_statistic(results, row, &compare_columns[0]).deviation;
        if (results->compared->rows[row].section != compare_methods || !isfinite(deviation)) continue;
        variance += deviation * deviation;
        rows++;
    }
    if (rows == 0) {
        fputs("<li>With one seed, small differences mean nothing.</li>\n", to);
        return;
    }
    const double noise = 1.96 * sqrt(2 * variance / rows / (double)results->compared->seeds);
    fprintf(to, "<li>Differences in top-1 below about %.1f points are within the variation between seeds.</li>\n",
            noise);
}

static void write_summary(FILE *to, const compare_results *results) {
    fputs("<ul class=\"facts\">\n", to);
    write_best(to, results, 0, 100, "Highest top-1", " %");
    /* A routing that never changes, such as hashing, was not learned. */
    write_best(to, results, 1, 1 - 1e-9, "Most stable learned routing from epoch to epoch",
               " of the tokens keep their expert");
    write_noise(to, results);
    fputs("</ul>\n", to);
}

static int write_methods(FILE *to, const compare_results *results) {
    int result = 0;
    html_table(to, results, compare_methods);
    html_column_meanings(to, results);
    fputs("<h2>Over the epochs</h2>\n", to);
    TRY(html_epoch_figures(to, results, compare_methods));
    fputs(
        "<h2>Expert load</h2>\n<p>Share of the probe's tokens that each expert computes at the end, in percent, for "
        "the first seed. The stronger the colour, the more tokens.</p>\n",
        to);
    html_load_figures(to, results);
done:
    return result;
}

static int write_sweep(FILE *to, const compare_results *results) {
    int result = 0;
    fputs(
        "<h2>Number of experts</h2>\n<p>More experts add parameters, not computation: a token goes to as many as "
        "before.</p>\n",
        to);
    TRY(html_sweep_figures(to, results));
    html_table(to, results, compare_sweep);
done:
    return result;
}

static const struct {
    const char *name, *title, *text;
} ablations[] = {
    {"guidance-window", "When to guide",
     "The teacher guides during part of training. The paper's best is the first half: 78.13 % against 77.81 % for "
     "the "
     "whole run (Tiny, 8 experts, ImageNet)."},
    {"teacher-layer", "Which layer guides",
     "Every MoE layer is guided by the teacher's layer with the same number, or all by the last. The paper: 77.81 % "
     "and "
     "75.83 %."},
    {"oracle", "Routing by the teacher in evaluation",
     "The student itself, and the same student routed by the teacher routers. The paper: 77.81 "
     "% "
     "and 80.19 %."},
    {"distill-only", "Distillation without the task's gradient",
     "The router learns from the task and the teacher, or only from the teacher. The paper: 77.81 % and 77.83 %."},
    {"finetune", "Fine-tuning",
     "Trained on one set of classes, then on another, with guidance continued if there was any. “Kept” is the share of "
     "tokens whose expert is the same before and after. The paper (ImageNet, then CIFAR-100): 0.738 with guidance, "
     "0.506 for V-MoE."},
};
enum { ABLATIONS = sizeof ablations / sizeof *ablations };

static int has_section(const comparison *compared, const char *section) {
    for (int i = 0; i < compared->row_count; i++) {
        if (strcmp(compared->rows[i].section, section) == 0) return 1;
    }
    return 0;
}

static void write_ablations(FILE *to, const compare_results *results) {
    for (int i = 0; i < ABLATIONS; i++) {
        if (!has_section(results->compared, ablations[i].name)) continue;
        fprintf(to, "<h2>%s</h2>\n<p>%s</p>\n", ablations[i].title, ablations[i].text);
        html_table(to, results, ablations[i].name);
    }
}

/* The command lines that are stored with the runs. */
static void write_commands(FILE *to, const comparison *compared) {
    fputs("<details><summary>The runs</summary>\n<pre>", to);
    for (int i = 0; i < compared->run_count; i++) {
        char path[COMPARE_PATH], *line = NULL;
        size_t room = 0;
        compare_path(path, compared, i, "command");
        FILE *file = fopen(path, "r");
        if (file && getline(&line, &room, file) > 0) markup_text(to, line);
        if (file) fclose(file);
        free(line);
    }
    fputs("</pre></details>\n", to);
}

int html_report_write(const compare_results *results, const char *path) {
    int result = 0;
    FILE *file = fopen(path, "w");
    if (!file) TRY(fail_with("%s: %s", path, strerror(errno)));
    html_begin(file, "Routing methods side by side");
    write_subject(file, results);
    write_summary(file, results);
    TRY(write_methods(file, results));
    if (has_section(results->compared, compare_sweep)) TRY(write_sweep(file, results));
    write_ablations(file, results);
    write_commands(file, results->compared);
    html_end(file);
    if (ferror(file)) TRY(fail_with("%s: cannot write", path));
done:
    if (file && fclose(file) != 0 && result == 0) result = fail_with("%s: %s", path, strerror(errno));
    return result;
}

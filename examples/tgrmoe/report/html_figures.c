/* SPDX-License-Identifier: MIT */
/* Series over epochs, expert loads, sweeps. */
#include "report/html_figures.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "failure.h"
#include "report/html_heat.h"
#include "report/html_plot.h"
#include "report/html_style.h"

typedef struct epoch_figure {
    record_series series;
    html_axes axes;
} epoch_figure;

static const epoch_figure figures[] = {
    {RECORD_TOP1, {"Accuracy", "Top-1 on the test images after each epoch", "epoch", "top-1 %", 0, 100, 0}},
    {RECORD_ADJACENT,
     {"Routing stability", "Share of tokens that keep the expert of one epoch before", "epoch", "share", 0, 1, 0}},
    {RECORD_FINAL,
     {"Agreement with the final routing", "Share of tokens that already go to their final expert", "epoch", "share", 0,
      1, 0}},
    {RECORD_FLUCTUATING,
     {"Not yet settled",
      "Share of tokens whose last fluctuation (the last epoch in which they do not go to their final expert) is later",
      "epoch", "share", 0, 1, 0}},
    {RECORD_ENTROPY, {"Router entropy", "Mean over tokens, in nats; 0 is certain", "epoch", "entropy", 0, 1000, 0}},
    {RECORD_LOAD_CV,
     {"Load imbalance", "Deviation over mean of the experts' loads; 0 is even", "epoch", "load CV", 0, 1000, 0}},
};
enum { FIGURES = sizeof figures / sizeof *figures };

static void free_curves(html_curve *curves, int count) {
    for (int i = 0; curves && i < count; i++) free(curves[i].x);
    free(curves);
}

/* x, y and deviation in one block of memory. */
static int make_room(html_curve *curve, int64_t count) {
    curve->x = calloc((size_t)count * 3 + 1, sizeof *curve->x);
    if (!curve->x) return fail_with("no memory for a plot of %lld points", (long long)count);
    curve->count = count;
    curve->y = curve->x + count;
    curve->deviation = curve->y + count;
    return 0;
}

static void set_point(html_curve *curve, int64_t at, double x, compare_statistic statistic) {
    curve->x[at] = x;
    curve->y[at] = statistic.mean;
    curve->deviation[at] = statistic.deviation;
}

static int write_epoch_figure(FILE *to, const compare_results *results, const char *section,
                              const epoch_figure *figure) {
    int result = 0, count = 0;
    const comparison *compared = results->compared;
    html_curve *curves = calloc((size_t)compared->row_count + 1, sizeof *curves);
    if (!curves) TRY(fail_with("no memory for a plot"));
    for (int row = 0; row < compared->row_count; row++) {
        if (strcmp(compared->rows[row].section, section) != 0) continue;
        html_curve *curve = &curves[count];
        *curve = (html_curve){.name = compared->rows[row].label, .style = count};
        count++;
        TRY(make_room(curve, compare_row_epochs(results, row)));
        for (int64_t i = 0; i < curve->count; i++) {
            set_point(curve, i, (double)i + 1, compare_epoch_statistic(results, row, figure->series, i));
        }
    }
    html_plot(to, &figure->axes, curves, count);
done:
    free_curves(curves, count);
    return result;
}

int html_epoch_figures(FILE *to, const compare_results *results, const char *section) {
    int result = 0;
    fputs("<div class=\"figures\">\n", to);
    for (int i = 0; i < FIGURES; i++) TRY(write_epoch_figure(to, results, section, &figures[i]));
done:
    fputs("</div>\n", to);
    return result;
}

void html_load_figures(FILE *to, const compare_results *results) {
    const comparison *compared = results->compared;
    fputs("<div class=\"figures small\">\n", to);
    for (int row = 0; row < compared->row_count; row++) {
        const run_record *record = compare_record(results, row, 0);
        if (compared->rows[row].section != compare_methods || !record || record->layers == 0) continue;
        html_heat_map(to, compared->rows[row].label, record->load, record->layers, record->experts);
    }
    fputs("</div>\n", to);
}

/* One curve: the rows of the sweep with the same method as row `first`. */
static int sweep_curve(html_curve *out, const compare_results *results, int first, const compare_column *column) {
    int result = 0, points = 0;
    const comparison *compared = results->compared;
    *out = (html_curve){.name = compared->rows[first].label,
                        .style = html_method_style(compared, compared->rows[first].method)};
    TRY(make_room(out, compared->row_count));
    for (int row = first; row < compared->row_count; row++) {
        if (compared->rows[row].section != compare_sweep ||
            strcmp(compared->rows[row].method, compared->rows[first].method) != 0) {
            continue;
        }
        set_point(out, points++, (double)compared->rows[row].experts, compare_row_statistic(results, row, column));
    }
    out->count = points;
done:
    return result;
}

static int write_sweep_figure(FILE *to, const compare_results *results, const compare_column *column,
                              const html_axes *axes) {
    int result = 0, count = 0;
    const comparison *compared = results->compared;
    html_curve *curves = calloc((size_t)compared->row_count + 1, sizeof *curves);
    if (!curves) TRY(fail_with("no memory for a plot"));
    for (int row = 0; row < compared->row_count; row++) {
        if (compared->rows[row].section != compare_sweep) continue;
        if (count > 0 && strcmp(curves[count - 1].name, compared->rows[row].label) == 0)
            continue; /* already in that curve */
        count++;
        TRY(sweep_curve(&curves[count - 1], results, row, column));
    }
    html_plot(to, axes, curves, count);
done:
    free_curves(curves, count);
    return result;
}

int html_sweep_figures(FILE *to, const compare_results *results) {
    static const html_axes axes[] = {
        {"Experts and accuracy", "Top-1 at the end, by the number of experts", "experts", "top-1 %", 0, 100, 1},
        {"Experts and stability", "Agreement with the epoch before, mean over epochs", "experts", "share", 0, 1, 1},
    };
    int result = 0;
    fputs("<div class=\"figures\">\n", to);
    for (int i = 0; i < 2; i++) TRY(write_sweep_figure(to, results, &compare_columns[i], &axes[i]));
done:
    fputs("</div>\n", to);
    return result;
}

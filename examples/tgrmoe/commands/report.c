/* SPDX-License-Identifier: MIT */
/* Prints a table, and draws a plot. */
#include "commands/report.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "failure.h"
#include "report/run_record.h"
#include "report/svg_plot.h"

static void print_cell(double value, int width, int digits) {
    if (isfinite(value)) {
        printf("  %*.*f", width, digits, value);
    } else {
        printf("  %*s", width, "-");
    }
}

static void print_table(const run_record *runs, int count) {
    int width = (int)strlen("run");
    for (int i = 0; i < count; i++) {
        if ((int)strlen(runs[i].name) > width) width = (int)strlen(runs[i].name);
    }
    printf("%-*s  method    seed  epochs  top-1 %%  adjacent  final  images/s     parameters         active\n", width,
           "run");
    for (int i = 0; i < count; i++) {
        const run_record *run = &runs[i];
        printf("%-*s  %-6s  %6lld  %6lld", width, run->name, run->method, (long long)run->seed, (long long)run->epochs);
        print_cell(run->top1, 7, 2);
        print_cell(mean_of(run->series[RECORD_ADJACENT], run->epochs), 8, 3);
        /* The last epoch trivially agrees with itself, so it is left out. */
        print_cell(mean_of(run->series[RECORD_FINAL], run->epochs - 1), 5, 3);
        print_cell(mean_of(run->series[RECORD_SPEED], run->epochs), 8, 0);
        print_cell(run->parameters, 13, 0);
        print_cell(run->active_parameters, 13, 0);
        printf("%s\n", run->ended ? "" : "  (did not end)");
    }
    printf(
        "\nadjacent: share of probe tokens that go to the same expert as one epoch before, mean over epochs from the "
        "2nd\n"
        "final: share that go to the same expert as at the end, mean over epochs except the last\n");
}

static int write_plot(const char *path, const run_record *runs, int count) {
    int result = 0, used = 0;
    FILE *file = NULL;
    plot_line *lines = calloc((size_t)count * 2, sizeof *lines);
    if (!lines) TRY(fail_with("no memory for a plot of %d runs", count));
    for (int i = 0; i < count; i++) {
        const double *values[2] = {runs[i].series[RECORD_ADJACENT], runs[i].series[RECORD_FINAL]};
        static const char *const names[2] = {"with the epoch before", "with the final routing"};
        for (int k = 0; k < 2; k++) {
            if (!isfinite(mean_of(values[k], runs[i].epochs))) continue;
            plot_line *line = &lines[used++];
            *line = (plot_line){.colour = i, .dashed = k, .count = runs[i].epochs, .values = values[k]};
            snprintf(line->name, sizeof line->name, "%s: %s", runs[i].name, names[k]);
        }
    }
    if (used == 0) TRY(fail_with("--svg: no run has a MoE layer and two epochs"));
    file = fopen(path, "w");
    if (!file) TRY(fail_with("--svg %s: %s", path, strerror(errno)));
    svg_plot(file, "How many tokens keep their expert", "share of tokens that agree", lines, used);
    if (ferror(file)) TRY(fail_with("--svg %s: cannot write", path));
done:
    if (file && fclose(file) != 0 && result == 0) result = fail_with("--svg %s: %s", path, strerror(errno));
    free(lines);
    return result;
}

int command_report(const tool_arguments *arguments) {
    int result = 0;
    const int count = arguments->file_count > 0 ? arguments->file_count : 0;
    run_record *runs = calloc((size_t)count + 1, sizeof *runs);
    if (!runs) TRY(fail_with("no memory for %d runs", count));
    if (count == 0) TRY(fail_usage("report: a file that train --json wrote is needed"));
    for (int i = 0; i < count; i++) TRY(run_record_read(&runs[i], arguments->files[i]));
    print_table(runs, count);
    if (arguments->svg) TRY(write_plot(arguments->svg, runs, count));
done:
    for (int i = 0; runs && i < count; i++) run_record_free(&runs[i]);
    free(runs);
    return result;
}

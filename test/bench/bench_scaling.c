/* SPDX-License-Identifier: MIT */
/* How the time of a training step grows with tokens, experts, K, depth and threads: from one model, DeiT-Tiny with
 * fewer blocks, one thing is changed at a time. The variants of a row run in turn.
 *
 *     bench_scaling [--threads N] [--seconds S] [--only tokens|experts|top_k|depth|threads] [--set key=value]
 *
 * ratio is the time over that of the row's first variant, growth the model FLOPs over its. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/bench_support.h"
#include "bench/model_run.h"

static const char base[] = "preset=tiny method=vmoe depth=4 moe_blocks=2,4";
enum { BATCH = 4, VARIANTS = 5 };

static const struct row {
    const char *name;
    const char *settings[VARIANTS];
} rows[] = {
    {"tokens", {"image_size=112", "image_size=160", "image_size=224", "image_size=320", "image_size=448"}},
    {"experts", {"experts=4", "experts=8", "experts=16", "experts=32", "experts=64"}},
    {"top_k", {"top_k=1", "top_k=2", "top_k=4", "top_k=8"}},
    {"depth", {"depth=4", "depth=8", "depth=16"}},
};

static void bench_runs(const char *row, const char *const *settings, const int *threads, int count,
                       const bench_options *options) {
    model_run runs[VARIANTS];
    bench_side *sides = bench_sides(count);
    for (int i = 0; i < count; i++) {
        char more[1024];
        snprintf(more, sizeof more, "%s %s", settings[i], options->settings);
        model_run_create(&runs[i], base, more, BATCH, threads[i]);
        sides[i].step = model_run_train;
        sides[i].what = &runs[i];
        sides[i].threads = threads[i];
    }
    bench_in_turn(sides, count, options->seconds);
    for (int i = 0; i < count; i++) {
        const double ratio = bench_ratio(&sides[i], &sides[0]), growth = runs[i].flops / runs[0].flops;
        bench_line_start("scaling", settings[i]);
        bench_line_text("kernels", model_run_kernels(&runs[i]));
        bench_line_timing(&sides[i], 3 * runs[i].flops);
        bench_line_number("bytes_peak", (double)model_run_bytes_peak(&runs[i]));
        bench_line_number("ratio", ratio);
        bench_line_number("growth", growth);
        bench_line_end();
        fprintf(stderr, "%-10s %-16s %7d %10.2f %11.2f %8.2f %8.2f %9.0f\n", row, settings[i], threads[i],
                sides[i].median, sides[i].fastest, ratio, growth, 1e-6 * (double)model_run_bytes_peak(&runs[i]));
    }
    for (int i = 0; i < count; i++) model_run_free(&runs[i]);
    free(sides);
}

/* Threads of all runs of a row but that of threads: all that there are. */
static void bench_row(const struct row *row, const bench_options *options) {
    int threads[VARIANTS], count = 0;
    for (; count < VARIANTS && row->settings[count]; count++)
        threads[count] = options->thread_counts[options->thread_count_count - 1];
    bench_runs(row->name, row->settings, threads, count, options);
}

static void bench_threads(const bench_options *options) {
    const char *settings[VARIANTS];
    int threads[VARIANTS], count = 0;
    const int most = options->thread_counts[options->thread_count_count - 1];
    for (int n = 1; n <= most && count<VARIANTS; n = 2 * n> most && n < most ? most : 2 * n) {
        settings[count] = "image_size=224";
        threads[count++] = n;
    }
    bench_runs("threads", settings, threads, count, options);
}

int main(int argc, char **argv) {
    const bench_options options = bench_read_options(argc, argv, 3);
    fprintf(stderr, "\n%s batch=%d\n%-10s %-16s %7s %10s %11s %8s %8s %9s\n", base, BATCH, "scaling", "", "threads",
            "ms", "ms fastest", "ratio", "growth", "MB peak");
    for (size_t r = 0; r < sizeof rows / sizeof *rows; r++)
        if (bench_is_wanted(&options, rows[r].name)) bench_row(&rows[r], &options);
    if (bench_is_wanted(&options, "threads")) bench_threads(&options);
    return 0;
}

/* SPDX-License-Identifier: MIT */
/* Whole training steps (forward, backward, AdamW) and forward passes alone, at 1 thread and at all in turn.
 *
 *     bench_step [--threads N] [--seconds S] [--only F] [--set key=value]
 *     bench_step --serve --only F --threads N
 *
 * gflops counts model FLOPs: batch · Σ_blocks [2·N·(4d² + 8d²·K or 1) + 4·N²·d], three times that for a step. mfu is
 * their share of the FMA peak measured between the steps with as many threads.
 *
 * To serve: for each line on stdin, "train" or "infer" runs one step and answers its milliseconds, "memory" answers by
 * how many bytes the process has ever grown since it started. The first line on stdout says what is served. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/bench_support.h"
#include "bench/machine.h"
#include "bench/model_run.h"

static void write_line(const char *name, const model_case *c, const bench_options *options, const bench_side *side,
                       const bench_side *one, double flops) {
    const model_run *run = side->what;
    char config[1024];
    snprintf(config, sizeof config, "%s %sbatch=%d", c->settings, options->settings, (int)c->batch);
    bench_line_start(name, config);
    bench_line_text("kernels", model_run_kernels(run));
    bench_line_timing(side, flops);
    bench_line_number("img_per_s", 1e3 * (double)run->batch / side->median);
    bench_line_number("bytes_peak", (double)model_run_bytes_peak(run));
    bench_line_number("allocs_per_step", model_run_allocations(run));
    bench_line_number("speedup", bench_ratio(one, side));
    bench_line_end();
    const double gflops = 1e-6 * flops / side->median;
    fprintf(stderr, "%-14s %7d %9.1f %8.1f %6.0f %6.2f %10.2f %11.2f %9.0f %7.2f %8.2f\n", name, side->threads,
            1e3 * (double)run->batch / side->median, gflops, side->peak, gflops / side->peak, side->median,
            side->fastest, 1e-6 * (double)model_run_bytes_peak(run), model_run_allocations(run),
            bench_ratio(one, side));
}

static void bench_case(const model_case *c, const bench_options *options) {
    enum { MOST = 4 };
    model_run runs[MOST];
    bench_side *sides = bench_sides(MOST);
    const int threads = options->thread_count_count;
    for (int i = 0; i < 2 * threads; i++) {
        model_run_create(&runs[i], c->settings, options->settings, c->batch, options->thread_counts[i % threads]);
        sides[i].step = i < threads ? model_run_train : model_run_infer;
        sides[i].what = &runs[i];
        sides[i].threads = options->thread_counts[i % threads];
    }
    bench_in_turn(sides, 2 * threads, options->seconds);
    for (int i = 0; i < 2 * threads; i++) {
        char name[64];
        const int trains = i < threads;
        snprintf(name, sizeof name, "%s%s", c->name, trains ? "" : "-forward");
        write_line(name, c, options, &sides[i], &sides[trains ? 0 : threads], (trains ? 3 : 1) * runs[i].flops);
    }
    for (int i = 0; i < 2 * threads; i++) model_run_free(&runs[i]);
    free(sides);
}

static void serve(const model_case *c, const bench_options *options) {
    char line[64];
    model_run run;
    const int64_t before = machine_resident_bytes();
    model_run_create(&run, c->settings, options->settings, c->batch, options->thread_counts[0]);
    bench_line_start(c->name, c->settings);
    bench_line_text("kernels", model_run_kernels(&run));
    bench_line_number("threads", options->thread_counts[0]);
    bench_line_number("batch", (double)c->batch);
    bench_line_number("forward_flops", run.flops);
    bench_line_end();
    while (fgets(line, sizeof line, stdin)) {
        const double start = bench_step_seconds();
        if (strcmp(line, "memory\n") == 0) {
            printf("%lld\n", (long long)(machine_resident_peak() - before));
        } else if (strcmp(line, "train\n") == 0 || strcmp(line, "infer\n") == 0) {
            (*line == 't' ? model_run_train : model_run_infer)(&run);
            printf("%.6f\n", 1e3 * (bench_step_seconds() - start));
        } else {
            bench_fail("'%s' is not served", line);
        }
        fflush(stdout);
    }
    model_run_free(&run);
}

int main(int argc, char **argv) {
    const bench_options options = bench_read_options(argc, argv, 6);
    int found = 0;
    if (!options.serve)
        fprintf(stderr, "\n%-14s %7s %9s %8s %6s %6s %10s %11s %9s %7s %8s\n", "step", "threads", "img/s", "GFLOP/s",
                "peak", "mfu", "ms", "ms fastest", "MB peak", "allocs", "speed-up");
    for (const model_case *c = model_cases; c->name; c++) {
        if (!bench_is_wanted(&options, c->name)) continue;
        found = 1;
        if (options.serve)
            serve(c, &options);
        else
            bench_case(c, &options);
        if (options.serve) break;
    }
    if (!found) bench_fail("there is no model '%s'", options.only);
    return 0;
}

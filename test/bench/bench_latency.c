/* SPDX-License-Identifier: MIT */
/* How long one image takes through a trained student: batch 1 in TGR_EVAL.
 *
 *     bench_latency [--threads N] [--seconds S] [--only T] [--set key=value] */
#include <stdio.h>
#include <stdlib.h>

#include "bench/bench_support.h"
#include "bench/model_run.h"

static const model_case cases[] = {
    {"T", "preset=tiny method=tgr experts=16", 1},
    {"S", "preset=small method=tgr experts=16 top_k=2", 1},
};

static void bench_case(const model_case *c, const bench_options *options) {
    model_run runs[2];
    bench_side *sides = bench_sides(2);
    const int count = options->thread_count_count;
    for (int i = 0; i < count; i++) {
        model_run_create(&runs[i], c->settings, options->settings, c->batch, options->thread_counts[i]);
        sides[i].step = model_run_infer;
        sides[i].what = &runs[i];
        sides[i].threads = options->thread_counts[i];
    }
    bench_in_turn(sides, count, options->seconds);
    for (int i = 0; i < count; i++) {
        char name[64];
        snprintf(name, sizeof name, "%s-latency", c->name);
        bench_line_start(name, c->settings);
        bench_line_text("kernels", model_run_kernels(&runs[i]));
        bench_line_timing(&sides[i], runs[i].flops);
        bench_line_number("bytes_peak", (double)model_run_bytes_peak(&runs[i]));
        bench_line_number("allocs_per_step", model_run_allocations(&runs[i]));
        bench_line_end();
        fprintf(stderr, "%-14s %7d %10.2f %11.2f %9.0f %7.2f\n", name, sides[i].threads, sides[i].median,
                sides[i].fastest, 1e-6 * (double)model_run_bytes_peak(&runs[i]), model_run_allocations(&runs[i]));
    }
    for (int i = 0; i < count; i++) model_run_free(&runs[i]);
    free(sides);
}

int main(int argc, char **argv) {
    const bench_options options = bench_read_options(argc, argv, 2);
    fprintf(stderr, "\n%-14s %7s %10s %11s %9s %7s\n", "one image", "threads", "ms", "ms fastest", "MB peak", "allocs");
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++)
        if (bench_is_wanted(&options, cases[c].name)) bench_case(&cases[c], &options);
    return 0;
}

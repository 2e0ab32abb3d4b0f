/* SPDX-License-Identifier: MIT */
/* What methods cost over V-MoE: training steps of TGR-MoE with cached teacher features, and of Default MoE, in turn
 * with V-MoE's. `ratio` is the time over V-MoE's, the median over rounds.
 *
 *     bench_methods [--threads N] [--seconds S] [--only F] [--set key=value] */
#include <stdio.h>
#include <stdlib.h>

#include "bench/bench_support.h"
#include "bench/model_run.h"

enum { METHODS = 3 };
static const char *const methods[METHODS] = {"vmoe", "tgr", "default"};

static const model_case cases[] = {
    {"F", "preset=fashion", 128},
    {"T", "preset=tiny experts=16", 16},
};

static void create(model_run *run, const model_case *c, const char *method, const char *more, int threads) {
    const int guided = method[0] == 't';
    char settings[256], teacher[1024];
    snprintf(settings, sizeof settings, "%s method=%s%s", c->settings, method, guided ? " teacher_cache_mb=256" : "");
    snprintf(teacher, sizeof teacher, "%s method=dense %s", c->settings, more);
    model_run_create(run, settings, more, c->batch, threads);
    if (guided) model_run_add_teacher(run, teacher);
}

static void bench_case(const model_case *c, const bench_options *options, int threads) {
    model_run runs[METHODS];
    bench_side *sides = bench_sides(METHODS);
    for (int i = 0; i < METHODS; i++) {
        create(&runs[i], c, methods[i], options->settings, threads);
        sides[i].step = model_run_train;
        sides[i].what = &runs[i];
        sides[i].threads = threads;
    }
    bench_in_turn(sides, METHODS, options->seconds);
    for (int i = 0; i < METHODS; i++) {
        const double ratio = bench_ratio(&sides[i], &sides[0]);
        char name[64];
        snprintf(name, sizeof name, "%s-%s", c->name, methods[i]);
        bench_line_start(name, c->settings);
        bench_line_text("kernels", model_run_kernels(&runs[i]));
        bench_line_timing(&sides[i], 3 * runs[i].flops);
        bench_line_number("img_per_s", 1e3 * (double)c->batch / sides[i].median);
        bench_line_number("bytes_peak", (double)model_run_bytes_peak(&runs[i]));
        bench_line_number("allocs_per_step", model_run_allocations(&runs[i]));
        bench_line_number("ratio", ratio);
        bench_line_number("ratio_fastest", sides[i].fastest / sides[0].fastest);
        bench_line_end();
        fprintf(stderr, "%-14s %7d %10.2f %11.2f %8.3f %15.3f %7.2f\n", name, threads, sides[i].median,
                sides[i].fastest, ratio, sides[i].fastest / sides[0].fastest, model_run_allocations(&runs[i]));
        model_run_free(&runs[i]);
    }
    free(sides);
}

int main(int argc, char **argv) {
    const bench_options options = bench_read_options(argc, argv, 5);
    fprintf(stderr, "\n%-14s %7s %10s %11s %8s %15s %7s\n", "method", "threads", "ms", "ms fastest", "/ V-MoE",
            "fastest/fastest", "allocs");
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++)
        for (int i = 0; i < options.thread_count_count; i++)
            if (bench_is_wanted(&options, cases[c].name)) bench_case(&cases[c], &options, options.thread_counts[i]);
    return 0;
}

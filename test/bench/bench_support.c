/* SPDX-License-Identifier: MIT */
#include "bench/bench_support.h"

#include <math.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "bench/machine.h"

static clockid_t step_clock = CLOCK_MONOTONIC;

void bench_fail(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fputc('\n', stderr);
    exit(1);
}

void bench_check(tgr_status status, const char *call) {
    if (status != TGR_OK) bench_fail("%s: %s", call, tgr_last_error());
}

static const char *value_of(int argc, char **argv, int i) {
    if (i + 1 >= argc) bench_fail("%s needs a value", argv[i]);
    return argv[i + 1];
}

bench_options bench_read_options(int argc, char **argv, double seconds) {
    cpu_set_t cpus;
    const int all = sched_getaffinity(0, sizeof cpus, &cpus) == 0 ? CPU_COUNT(&cpus) : 1;
    bench_options options = {.thread_counts = {1, all}, .thread_count_count = all > 1 ? 2 : 1, .seconds = seconds};
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--serve") == 0) {
            options.serve = 1;
            continue;
        }
        if (strcmp(argv[i], "--cpu-time") == 0) {
            options.thread_counts[0] = options.thread_count_count = 1;
            step_clock = CLOCK_THREAD_CPUTIME_ID;
            continue;
        }
        const char *value = value_of(argc, argv, i);
        if (strcmp(argv[i], "--threads") == 0) {
            options.thread_counts[0] = atoi(value);
            options.thread_count_count = 1;
        } else if (strcmp(argv[i], "--seconds") == 0) {
            options.seconds = atof(value);
        } else if (strcmp(argv[i], "--only") == 0) {
            options.only = value;
        } else if (strcmp(argv[i], "--set") == 0) {
            const size_t used = strlen(options.settings);
            snprintf(options.settings + used, sizeof options.settings - used, "%s ", value);
        } else {
            bench_fail("%s: there is no option %s", argv[0], argv[i]);
        }
        i++;
    }
    if (options.thread_counts[0] < 1) bench_fail("--threads is %d; it must be at least 1", options.thread_counts[0]);
    return options;
}

int bench_is_wanted(const bench_options *options, const char *name) {
    return options->only == NULL || strcmp(options->only, name) == 0;
}

void bench_configure(tgr_config *config, const char *settings) {
    char text[512];
    snprintf(text, sizeof text, "%s", settings);
    for (char *rest = text, *pair; (pair = strtok_r(rest, " ", &rest)) != NULL;) {
        char *value = strchr(pair, '=');
        if (value == NULL) bench_fail("'%s' is no key=value", pair);
        *value = '\0';
        BENCH_TRY(tgr_config_set(config, pair, value + 1));
    }
}

static double read_clock(clockid_t clock) {
    struct timespec now;
    clock_gettime(clock, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

double bench_seconds(void) {
    return read_clock(CLOCK_MONOTONIC);
}

double bench_step_seconds(void) {
    return read_clock(step_clock);
}

static int compare_doubles(const void *a, const void *b) {
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(const double *values, int count) {
    double sorted[BENCH_ROUNDS_MOST];
    memcpy(sorted, values, (size_t)count * sizeof *values);
    qsort(sorted, (size_t)count, sizeof *sorted, compare_doubles);
    return count % 2 ? sorted[count / 2] : (sorted[count / 2 - 1] + sorted[count / 2]) / 2;
}

bench_side *bench_sides(int count) {
    return bench_allocate(count, sizeof(bench_side));
}

void bench_in_turn(bench_side *sides, int count, double seconds) {
    enum { ROUNDS_LEAST = 3 };
    double end = 0;
    for (int round = -1; round < ROUNDS_LEAST || (bench_seconds() < end && round < BENCH_ROUNDS_MOST); round++) {
        if (round == 0) end = bench_seconds() + seconds;
        for (int i = 0; i < count; i++) {
            const double start = bench_step_seconds();
            sides[i].step(sides[i].what);
            const double ms = 1e3 * (bench_step_seconds() - start);
            if (round >= 0) sides[i].ms[sides[i].rounds++] = ms;
            sides[i].peak = fmax(sides[i].peak, machine_fma_peak(sides[i].threads, 0.004));
        }
    }
    for (int i = 0; i < count; i++) {
        for (int other = 0; other < count; other++)
            if (sides[other].threads == sides[i].threads) sides[i].peak = fmax(sides[i].peak, sides[other].peak);
        sides[i].median = median(sides[i].ms, sides[i].rounds);
        sides[i].fastest = sides[i].ms[0];
        for (int r = 1; r < sides[i].rounds; r++) sides[i].fastest = fmin(sides[i].fastest, sides[i].ms[r]);
    }
}

double bench_ratio(const bench_side *side, const bench_side *other) {
    double ratios[BENCH_ROUNDS_MOST];
    for (int r = 0; r < side->rounds; r++) ratios[r] = side->ms[r] / other->ms[r];
    return median(ratios, side->rounds);
}

double bench_fastest(void (*run)(void *what), void *what, double seconds) {
    double best = INFINITY;
    run(what);
    const double end = bench_seconds() + seconds;
    do {
        const double start = bench_step_seconds();
        run(what);
        best = fmin(best, bench_step_seconds() - start);
    } while (bench_seconds() < end);
    return best;
}

void bench_line_start(const char *name, const char *config) {
    printf("{\"name\": \"%s\", \"config\": \"%s\"", name, config);
}

void bench_line_text(const char *key, const char *value) {
    printf(", \"%s\": \"%s\"", key, value);
}

void bench_line_number(const char *key, double value) {
    if (isfinite(value))
        printf(", \"%s\": %.12g", key, value);
    else
        printf(", \"%s\": null", key);
}

void bench_line_timing(const bench_side *side, double flops) {
    const double gflops = 1e-6 * flops / side->median;
    bench_line_number("threads", side->threads);
    bench_line_number("ms", side->median);
    bench_line_number("ms_fastest", side->fastest);
    bench_line_number("gflops", gflops);
    bench_line_number("fma_peak_gflops", side->peak);
    bench_line_number("mfu", gflops / side->peak);
}

void bench_line_end(void) {
    puts("}");
    fflush(stdout);
}

void *bench_allocate(int64_t count, int64_t size) {
    const size_t bytes = ((size_t)count * (size_t)size + 63) / 64 * 64;
    void *memory = aligned_alloc(64, bytes);
    if (memory == NULL) bench_fail("no memory for %zu bytes", bytes);
    memset(memory, 0, bytes);
    return memory;
}

float *bench_random_floats(int64_t count, uint32_t seed) {
    float *values = bench_allocate(count, sizeof *values);
    uint32_t state = seed;
    for (int64_t i = 0; i < count; i++) {
        state = state * 1664525U + 1013904223U;
        values[i] = (float)(state >> 8) / 8388608.0F - 1;
    }
    return values;
}

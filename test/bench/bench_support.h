/* SPDX-License-Identifier: MIT */
/* What the benchmarks share: their command line, steps timed in turn, a JSON object per line on stdout. Tables for
 * people go to stderr. */
#ifndef TGR_BENCH_SUPPORT_H
#define TGR_BENCH_SUPPORT_H

#include <stdint.h>

#include "tgrmoe/options.h"

/* A benchmark that cannot continue says why and ends. */
#define BENCH_TRY(call) bench_check((call), #call)
void bench_check(tgr_status status, const char *call);
void bench_fail(const char *format, ...) __attribute__((format(printf, 1, 2), noreturn));

/* --threads N   that many only; without it 1 and all that there are
 * --seconds S   of measuring for each case, over three rounds at least
 * --only NAME   the case or the cases of that name
 * --set KEY=VALUE   an option of the library on top of those of the case; may be repeated
 * --cpu-time    one thread, and its processor time instead of the clock's: for a machine that others use as well
 * --serve       of bench_step alone: see there */
typedef struct bench_options {
    int thread_counts[2], thread_count_count;
    double seconds;
    const char *only;
    char settings[512]; /* "key=value key=value " */
    int serve;
} bench_options;
bench_options bench_read_options(int argc, char **argv, double seconds);
int bench_is_wanted(const bench_options *options, const char *name);
/* Sets every "key=value" of `settings`, which spaces divide. */
void bench_configure(tgr_config *config, const char *settings);

double bench_seconds(void);
/* The clock that steps are timed by: the same, or with --cpu-time the processor time of the calling thread. */
double bench_step_seconds(void);

/* Things to be timed against each other. Timings of a machine drift, so they run in turn, A B C A B C …, and are
 * compared round by round. After each step the FMA peak is measured with as many threads. */
enum { BENCH_ROUNDS_MOST = 4096 };
typedef struct bench_side {
    void (*step)(void *what);
    void *what;
    int threads;

    /* Filled by bench_in_turn: */
    double ms[BENCH_ROUNDS_MOST];
    int rounds;
    double median, fastest; /* ms */
    double peak;            /* GFLOP/s of fused multiply-adds */
} bench_side;
bench_side *bench_sides(int count);
/* One round to warm up, then rounds for `seconds`, at least three. */
void bench_in_turn(bench_side *sides, int count, double seconds);
/* How many times as long as `other` the side takes: the median over rounds. */
double bench_ratio(const bench_side *side, const bench_side *other);
/* Seconds of the fastest of the calls of about `seconds`, for what is too short to be compared by rounds. */
double bench_fastest(void (*run)(void *what), void *what, double seconds);

/* {"name": …, "config": …, then any number of fields, then the end of the line. */
void bench_line_start(const char *name, const char *config);
void bench_line_text(const char *key, const char *value);
void bench_line_number(const char *key, double value);
/* threads, ms, ms_fastest, gflops, fma_peak_gflops and mfu of a step of `flops`. */
void bench_line_timing(const bench_side *side, double flops);
void bench_line_end(void);

/* Zeroed, 64-byte aligned memory, to be freed with free(). */
void *bench_allocate(int64_t count, int64_t size);
/* `count` numbers, uniform in [-1, 1). */
float *bench_random_floats(int64_t count, uint32_t seed);

#endif

/* SPDX-License-Identifier: MIT */
#include "bench/machine.h"

#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#if defined(__x86_64__)
#include <immintrin.h>
#endif

#include "bench/bench_support.h"

enum { LOOPS = 50000, THREADS_MOST = 1024 };

/* The FLOPs of LOOPS rounds of independent multiply-adds, and y += x: for each kind of vector. */
#define KERNELS(isa, target, type, set1, fmadd, load, add, store)                                   \
    target static double burst_##isa(void) {                                                        \
        enum { CHAINS = 12, WIDTH = sizeof(type) / sizeof(float) };                                 \
        type sum[CHAINS], x = set1(0.999F), y = set1(0.001F);                                       \
        for (int i = 0; i < CHAINS; i++) sum[i] = set1((float)i);                                   \
        for (int loop = 0; loop < LOOPS; loop++) {                                                  \
            _Pragma("GCC unroll 12") for (int i = 0; i < CHAINS; i++) sum[i] = fmadd(sum[i], x, y); \
        }                                                                                           \
        for (int i = 1; i < CHAINS; i++) sum[0] = fmadd(sum[i], x, sum[0]);                         \
        volatile type keep = sum[0];                                                                \
        (void)keep;                                                                                 \
        return 2.0 * CHAINS * WIDTH * LOOPS;                                                        \
    }                                                                                               \
    target static void add_##isa(int64_t count, const float *x, float *y) {                         \
        enum { WIDTH = sizeof(type) / sizeof(float) };                                              \
        _Pragma("GCC unroll 4") for (int64_t i = 0; i + WIDTH <= count; i += WIDTH)                 \
            store(y + i, add(load(y + i), load(x + i)));                                            \
    }

#if defined(__x86_64__)
#define AVX512 __attribute__((target("avx512f")))
#define AVX2   __attribute__((target("avx2,fma")))
KERNELS(avx512, AVX512, __m512, _mm512_set1_ps, _mm512_fmadd_ps, _mm512_loadu_ps, _mm512_add_ps, _mm512_storeu_ps)
KERNELS(avx2, AVX2, __m256, _mm256_set1_ps, _mm256_fmadd_ps, _mm256_loadu_ps, _mm256_add_ps, _mm256_storeu_ps)
#endif

/* Four floats at a time are what the compiler turns into vectors anywhere. */
typedef float four_floats __attribute__((vector_size(16)));
static inline four_floats four_set(float x) {
    return (four_floats){x, x, x, x};
}
static inline four_floats four_multiply_add(four_floats a, four_floats b, four_floats c) {
    return a * b + c;
}
static inline four_floats four_load(const float *x) {
    four_floats four;
    memcpy(&four, x, sizeof four);
    return four;
}
static inline four_floats four_add(four_floats a, four_floats b) {
    return a + b;
}
static inline void four_store(float *y, four_floats x) {
    memcpy(y, &x, sizeof x);
}
KERNELS(any, , four_floats, four_set, four_multiply_add, four_load, four_add, four_store)

typedef struct machine_kernels {
    double (*burst)(void);
    void (*add)(int64_t count, const float *x, float *y);
} machine_kernels;

static machine_kernels choose(void) {
#if defined(__x86_64__)
    if (__builtin_cpu_supports("avx512f")) return (machine_kernels){burst_avx512, add_avx512};
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) return (machine_kernels){burst_avx2, add_avx2};
#endif
    return (machine_kernels){burst_any, add_any};
}

/* Bursts that all threads start together, each timed by its own thread: waking up does not count. */
typedef struct peak_job {
    double (*burst)(void);
    pthread_barrier_t start, end;
    int go_on, threads;
    double flops, times[THREADS_MOST];
} peak_job;

typedef struct peak_worker {
    peak_job *job;
    pthread_t thread;
    int number;
} peak_worker;

static void take_part(peak_job *job, int number) {
    const double begin = bench_step_seconds();
    const double flops = job->burst();
    job->times[number] = bench_step_seconds() - begin;
    if (number == 0) job->flops = flops;
}

static void *help(void *argument) {
    const peak_worker *worker = argument;
    peak_job *job = worker->job;
    for (;;) {
        pthread_barrier_wait(&job->start);
        if (!job->go_on) return NULL;
        take_part(job, worker->number);
        pthread_barrier_wait(&job->end);
    }
}

/* GFLOP/s of one burst; its slowest thread counts. */
static double run_burst(peak_job *job) {
    double slowest = 0;
    pthread_barrier_wait(&job->start);
    take_part(job, 0);
    pthread_barrier_wait(&job->end);
    for (int i = 0; i < job->threads; i++) slowest = fmax(slowest, job->times[i]);
    return 1e-9 * job->flops * job->threads / slowest;
}

double machine_fma_peak(int threads, double seconds) {
    double best = 0;
    if (threads > THREADS_MOST) threads = THREADS_MOST;
    peak_job *job = bench_allocate(1, sizeof *job);
    peak_worker *workers = bench_allocate(threads, sizeof *workers);
    job->burst = choose().burst;
    job->threads = threads;
    job->go_on = 1;
    if (pthread_barrier_init(&job->start, NULL, (unsigned)threads) ||
        pthread_barrier_init(&job->end, NULL, (unsigned)threads))
        bench_fail("no barrier for %d threads", threads);
    for (int i = 1; i < threads; i++) {
        workers[i] = (peak_worker){.job = job, .number = i};
        if (pthread_create(&workers[i].thread, NULL, help, &workers[i])) bench_fail("thread %d does not start", i);
    }
    const double stop = bench_seconds() + seconds;
    do best = fmax(best, run_burst(job));
    while (bench_seconds() < stop);
    job->go_on = 0;
    pthread_barrier_wait(&job->start);
    for (int i = 1; i < threads; i++) pthread_join(workers[i].thread, NULL);
    pthread_barrier_destroy(&job->start);
    pthread_barrier_destroy(&job->end);
    free(workers);
    free(job);
    return best;
}

typedef struct stream {
    int64_t count;
    int repeats;
    float *x, *y;
} stream;

static void run_stream(void *what) {
    const stream *s = what;
    void (*add)(int64_t, const float *, float *) = choose().add;
    for (int i = 0; i < s->repeats; i++) add(s->count, s->x, s->y);
}

double machine_bandwidth(int64_t bytes, double seconds) {
    stream s = {.count = bytes / 8, .repeats = (int)(1e6 / (double)bytes) + 1};
    s.x = bench_random_floats(s.count, 1);
    s.y = bench_random_floats(s.count, 2);
    const double time = bench_fastest(run_stream, &s, seconds);
    free(s.x);
    free(s.y);
    return 1e-9 * 12 * (double)s.count * s.repeats / time;
}

static int64_t status_field(const char *name) {
    char line[256];
    long long kilobytes = 0;
    const size_t length = strlen(name);
    FILE *file = fopen("/proc/self/status", "r");
    if (file == NULL) return 0;
    while (fgets(line, sizeof line, file))
        if (strncmp(line, name, length) == 0) kilobytes = atoll(line + length);
    fclose(file);
    return 1024 * (int64_t)kilobytes;
}

int64_t machine_resident_bytes(void) {
    return status_field("VmRSS:");
}

int64_t machine_resident_peak(void) {
    return status_field("VmHWM:");
}

/* SPDX-License-Identifier: MIT */
/* How fast each row kernel runs on one thread: GB/s of operands read and written, and elements per ns.
 * Usage: bench_kernels [rows columns]. Small tensors stay in cache, large ones show the memory. */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "kernels/kernels.h"

typedef struct bench_data {
    int64_t rows, columns, count;
    float *x, *y, *z, *w;         /* [rows, columns] */
    float *weight, *bias, *extra; /* [columns] */
    float *mean, *rstd;           /* [rows] */
    double sink;
} bench_data;

typedef struct bench_kernel {
    const char *name;
    int floats; /* read and written for each element */
    void (*run)(const tgr_kernels *kernels, bench_data *d);
} bench_kernel;

static void run_layer_norm(const tgr_kernels *kernels, bench_data *d) {
    kernels->layer_norm(d->rows, d->columns, d->x, d->weight, d->bias, 1e-6f, d->y, d->mean, d->rstd);
}
static void run_layer_norm_backward(const tgr_kernels *kernels, bench_data *d) {
    kernels->layer_norm_backward(d->rows, d->columns, d->x, d->weight, d->mean, d->rstd, d->z, 1, d->y, d->extra,
                                 d->bias);
}
static void run_gelu(const tgr_kernels *kernels, bench_data *d) {
    kernels->gelu(d->count, d->x, d->y);
}
static void run_gelu_in_place(const tgr_kernels *kernels, bench_data *d) {
    kernels->gelu(d->count, d->w, d->w);
}
static void run_gelu_backward(const tgr_kernels *kernels, bench_data *d) {
    kernels->gelu_backward(d->count, d->x, d->z, d->y);
}
static void run_softmax(const tgr_kernels *kernels, bench_data *d) {
    kernels->softmax(d->rows, d->columns, 0.2f, d->x, d->y, d->mean);
}
static void run_softmax_from_lse(const tgr_kernels *kernels, bench_data *d) {
    kernels->softmax_from_lse(d->rows, d->columns, 0.2f, d->x, d->mean, d->y);
}
static void run_softmax_backward(const tgr_kernels *kernels, bench_data *d) {
    kernels->softmax_backward(d->rows, d->columns, 0.2f, d->x, d->z, d->y);
}
static void run_add(const tgr_kernels *kernels, bench_data *d) {
    kernels->add(d->count, d->x, d->y);
}
static void run_add_scaled(const tgr_kernels *kernels, bench_data *d) {
    kernels->add_scaled(d->rows, d->columns, d->weight, d->mean, d->x, d->y);
}
static void run_add_scaled_backward(const tgr_kernels *kernels, bench_data *d) {
    kernels->add_scaled_backward(d->rows, d->columns, d->weight, d->mean, d->x, d->z, d->y, d->extra);
}
static void run_column_sum(const tgr_kernels *kernels, bench_data *d) {
    kernels->column_sum(d->rows, d->columns, d->x, d->extra);
}
static void run_dot(const tgr_kernels *kernels, bench_data *d) {
    d->sink += kernels->dot(d->count, d->x, d->z);
}
static void run_axpy(const tgr_kernels *kernels, bench_data *d) {
    kernels->axpy(d->count, 1e-3f, d->x, d->y);
}
static void run_adamw(const tgr_kernels *kernels, bench_data *d) {
    kernels->adamw(d->count, d->w, d->x, d->y, d->z, 1.0f, 0.9f, 0.999f, 1.0f, 1.0f, 1e-3f, 1e-8f, 1e-4f);
}
static void run_sgd(const tgr_kernels *kernels, bench_data *d) {
    kernels->sgd(d->count, d->w, d->x, d->y, 1.0f, 0.9f, 1e-3f, 1e-4f);
}
static void run_sum_squares(const tgr_kernels *kernels, bench_data *d) {
    d->sink += kernels->sum_squares(d->count, d->x);
}

static const bench_kernel bench_kernels[] = {
    {"layer_norm", 2, run_layer_norm},
    {"layer_norm_backward", 4, run_layer_norm_backward},
    {"gelu", 2, run_gelu},
    {"gelu, in place", 2, run_gelu_in_place},
    {"gelu_backward", 3, run_gelu_backward},
    {"softmax", 2, run_softmax},
    {"softmax_from_lse", 2, run_softmax_from_lse},
    {"softmax_backward", 3, run_softmax_backward},
    {"add", 3, run_add},
    {"add_scaled", 3, run_add_scaled},
    {"add_scaled_backward", 3, run_add_scaled_backward},
    {"column_sum", 1, run_column_sum},
    {"dot", 2, run_dot},
    {"axpy", 3, run_axpy},
    {"adamw", 7, run_adamw},
    {"sgd", 5, run_sgd},
    {"sum_squares", 1, run_sum_squares},
};

static double seconds(void) {
    struct timespec now;
    timespec_get(&now, TIME_UTC);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

/* Values between -2 and 2 that repeat after 61. */
static void fill(float *x, int64_t count) {
    for (int64_t i = 0; i < count; i++) x[i] = (float)(i * 17 % 61 - 30) / 15.0f;
}

static void fill_all(bench_data *d) {
    fill(d->x, d->count);
    fill(d->w, d->count);
    for (int64_t i = 0; i < d->count; i++) d->y[i] = 0.0f;
    for (int64_t i = 0; i < d->count; i++) d->z[i] = 0.5f;
    for (int64_t i = 0; i < d->columns; i++) d->weight[i] = 0.5f, d->bias[i] = d->extra[i] = 0.0f;
    for (int64_t i = 0; i < d->rows; i++) d->mean[i] = d->rstd[i] = 1.0f;
}

/* Seconds of the fastest run of about a tenth of a second. */
static double fastest(const bench_kernel *kernel, const tgr_kernels *kernels, bench_data *d) {
    double best = 1e9, end = seconds() + 0.1;
    do {
        double start = seconds();
        kernel->run(kernels, d);
        double time = seconds() - start;
        best = time < best ? time : best;
    } while (seconds() < end);
    return best;
}

static int bench_allocate(bench_data *d) {
    float *memory = calloc((size_t)(4 * d->count + 3 * d->columns + 2 * d->rows), sizeof(float));
    d->x = memory;
    if (!memory) return 0;
    d->y = d->x + d->count;
    d->z = d->y + d->count;
    d->w = d->z + d->count;
    d->weight = d->w + d->count;
    d->bias = d->weight + d->columns;
    d->extra = d->bias + d->columns;
    d->mean = d->extra + d->columns;
    d->rstd = d->mean + d->rows;
    return 1;
}

int main(int argc, char **argv) {
    const tgr_kernels *variants[] = {
#if defined(__x86_64__)
        &tgr_kernels_avx512,
        &tgr_kernels_avx2,
#endif
        &tgr_kernels_blis,
        &tgr_kernels_portable
    };
    const int variant_count = (int)(sizeof variants / sizeof *variants);
    bench_data d = {.rows = argc > 2 ? atoll(argv[1]) : 197, .columns = argc > 2 ? atoll(argv[2]) : 384};
    d.count = d.rows * d.columns;
    if (d.rows < 1 || d.columns < 1 || !bench_allocate(&d)) {
        fprintf(stderr, "usage: bench_kernels [rows columns]\n");
        return 1;
    }
    printf("[%lld, %lld]: GB/s (elements/ns)\n%-22s", (long long)d.rows, (long long)d.columns, "");
    for (int v = 0; v < variant_count; v++) printf("%18s", variants[v]->name);
    printf("\n");
    for (size_t k = 0; k < sizeof bench_kernels / sizeof *bench_kernels; k++) {
        printf("%-22s", bench_kernels[k].name);
        for (int v = 0; v < variant_count; v++) {
            if (!variants[v]->usable()) {
                printf("%18s", "-");
                continue;
            }
            fill_all(&d);
            double rate = (double)d.count / fastest(&bench_kernels[k], variants[v], &d) * 1e-9;
            printf("%9.1f (%6.2f)", 4.0 * bench_kernels[k].floats * rate, rate);
        }
        printf("\n");
    }
    free(d.x);
    return 0;
}

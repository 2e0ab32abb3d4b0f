/* SPDX-License-Identifier: MIT */
/* How fast each row kernel runs on one thread, on operands that stay in the first-level cache and on large ones,
 * against what bounds it: the time for its bytes at the bandwidth of y += x over as much memory, or for its FLOPs at
 * the FMA peak, whichever is longer. FLOPs of an element are counted roughly, e^x and Φ as polynomials that float32
 * needs. TGRMOE_KERNELS chooses the kernels.
 *
 *     bench_kernels [--seconds S] [--only gelu] */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/context.h"
#include "bench/bench_support.h"
#include "bench/machine.h"
#include "kernels/kernels.h"

typedef struct bench_data {
    const tgr_kernels *kernels;
    int64_t rows, columns, count;
    int repeats;
    float *x, *y, *z, *w;         /* [rows, columns] */
    float *weight, *bias, *extra; /* [columns] */
    float *mean, *rstd;           /* [rows] */
    double sink;
} bench_data;

static void run_layer_norm(bench_data *d) {
    d->kernels->layer_norm(d->rows, d->columns, d->x, d->weight, d->bias, 1e-6F, d->y, d->mean, d->rstd);
}
static void run_layer_norm_backward(bench_data *d) {
    d->kernels->layer_norm_backward(d->rows, d->columns, d->x, d->weight, d->mean, d->rstd, d->z, 1, d->y, d->extra,
                                    d->bias);
}
static void run_gelu(bench_data *d) {
    d->kernels->gelu(d->count, d->x, d->y);
}
static void run_gelu_backward(bench_data *d) {
    d->kernels->gelu_backward(d->count, d->x, d->z, d->y, d->w);
}
static void run_softmax(bench_data *d) {
    d->kernels->softmax(d->rows, d->columns, 0.2F, d->x, d->y, d->mean);
}
static void run_softmax_from_lse(bench_data *d) {
    d->kernels->softmax_from_lse(d->rows, d->columns, 0.2F, d->x, d->mean, d->y);
}
static void run_softmax_backward(bench_data *d) {
    d->kernels->softmax_backward(d->rows, d->columns, 0.2F, d->x, d->z, d->y);
}
static void run_add(bench_data *d) {
    d->kernels->add(d->count, d->x, d->y);
}
static void run_add_scaled(bench_data *d) {
    d->kernels->add_scaled(d->rows, d->columns, d->weight, d->mean, d->x, d->y);
}
static void run_add_scaled_backward(bench_data *d) {
    d->kernels->add_scaled_backward(d->rows, d->columns, d->weight, d->mean, d->x, d->z, d->y, d->extra);
}
static void run_column_sum(bench_data *d) {
    d->kernels->column_sum(d->rows, d->columns, d->x, d->extra);
}
static void run_dot(bench_data *d) {
    d->sink += (double)d->kernels->dot(d->count, d->x, d->z);
}
static void run_axpy(bench_data *d) {
    d->kernels->axpy(d->count, 1e-3F, d->x, d->y);
}
static void run_adamw(bench_data *d) {
    d->kernels->adamw(d->count, d->w, d->x, d->y, d->z, 1.0F, 0.9F, 0.999F, 1.0F, 1.0F, 1e-3F, 1e-8F, 1e-4F);
}
static void run_sgd(bench_data *d) {
    d->kernels->sgd(d->count, d->w, d->x, d->y, 1.0F, 0.9F, 1e-3F, 1e-4F);
}
static void run_sum_squares(bench_data *d) {
    d->sink += d->kernels->sum_squares(d->count, d->x);
}

static const struct bench_kernel {
    const char *name;
    int floats; /* read and written for each element */
    int flops;  /* for each element */
    void (*run)(bench_data *d);
} bench_kernels[] = {
    {"layer_norm", 2, 8, run_layer_norm},
    {"layer_norm_backward", 4, 14, run_layer_norm_backward},
    {"gelu", 2, 26, run_gelu},
    {"gelu_backward", 4, 34, run_gelu_backward},
    {"softmax", 2, 24, run_softmax},
    {"softmax_from_lse", 2, 20, run_softmax_from_lse},
    {"softmax_backward", 3, 6, run_softmax_backward},
    {"add", 3, 1, run_add},
    {"add_scaled", 3, 3, run_add_scaled},
    {"add_scaled_backward", 3, 5, run_add_scaled_backward},
    {"column_sum", 1, 1, run_column_sum},
    {"dot", 2, 2, run_dot},
    {"axpy", 3, 2, run_axpy},
    {"adamw", 7, 16, run_adamw},
    {"sgd", 5, 6, run_sgd},
    {"sum_squares", 1, 2, run_sum_squares},
};
enum { KERNELS = sizeof bench_kernels / sizeof *bench_kernels, OPERANDS = 4 };

/* Values between -2 and 2 that repeat after 61. */
static void fill(bench_data *d) {
    for (int64_t i = 0; i < d->count; i++) {
        d->x[i] = d->w[i] = (float)(i * 17 % 61 - 30) / 15.0F;
        d->y[i] = 0;
        d->z[i] = 0.5F;
    }
    for (int64_t i = 0; i < d->columns; i++) d->weight[i] = 0.5F, d->bias[i] = d->extra[i] = 0;
    for (int64_t i = 0; i < d->rows; i++) d->mean[i] = d->rstd[i] = 1;
}

static bench_data create_data(const tgr_kernels *kernels, int64_t rows, int64_t columns) {
    bench_data d = {.kernels = kernels, .rows = rows, .columns = columns, .count = rows * columns};
    d.repeats = (int)(100000 / d.count) + 1; /* so that looking at the clock takes no time */
    d.x = bench_allocate(OPERANDS * d.count + 3 * d.columns + 2 * d.rows, sizeof(float));
    d.y = d.x + d.count;
    d.z = d.y + d.count;
    d.w = d.z + d.count;
    d.weight = d.w + d.count;
    d.bias = d.weight + d.columns;
    d.extra = d.bias + d.columns;
    d.mean = d.extra + d.columns;
    d.rstd = d.mean + d.rows;
    return d;
}

typedef struct repeated_kernel {
    const struct bench_kernel *kernel;
    bench_data *data;
} repeated_kernel;

static void repeat(void *what) {
    const repeated_kernel *r = what;
    for (int i = 0; i < r->data->repeats; i++) r->kernel->run(r->data);
}

static void bench_size(const bench_options *options, bench_data *d) {
    const double bandwidth = machine_bandwidth(OPERANDS * d->count * (int64_t)sizeof(float), 0.5);
    const double peak = machine_fma_peak(1, 0.1);
    fprintf(stderr, "\n%s, [%lld, %lld]: y += x runs at %.0f GB/s, FMA at %.0f GFLOP/s\n%-22s %11s %8s %9s %9s\n",
            d->kernels->name, (long long)d->rows, (long long)d->columns, bandwidth, peak, "kernel", "elements/ns",
            "GB/s", "GFLOP/s", "of bound");
    for (int k = 0; k < KERNELS; k++) {
        const struct bench_kernel *kernel = &bench_kernels[k];
        if (!bench_is_wanted(options, kernel->name)) continue;
        char config[64];
        repeated_kernel what = {kernel, d};
        fill(d);
        const double seconds = bench_fastest(repeat, &what, options->seconds) / d->repeats;
        const double rate = 1e-9 * (double)d->count / seconds, bytes = 4.0 * kernel->floats;
        const double share = rate * fmax(bytes / bandwidth, kernel->flops / peak);
        snprintf(config, sizeof config, "%s [%lld, %lld]", kernel->name, (long long)d->rows, (long long)d->columns);
        bench_line_start("kernel", config);
        bench_line_text("kernels", d->kernels->name);
        bench_line_number("threads", 1);
        bench_line_number("ms", 1e3 * seconds);
        bench_line_number("elements_per_ns", rate);
        bench_line_number("gb_per_s", bytes * rate);
        bench_line_number("gflops", kernel->flops * rate);
        bench_line_number("fma_peak_gflops", peak);
        bench_line_number("bandwidth_gb_per_s", bandwidth);
        bench_line_number("share_of_bound", share);
        bench_line_end();
        fprintf(stderr, "%-22s %11.2f %8.1f %9.1f %9.2f\n", kernel->name, rate, bytes * rate, kernel->flops * rate,
                share);
    }
    free(d->x);
}

int main(int argc, char **argv) {
    const bench_options options = bench_read_options(argc, argv, 0.1);
    const tgr_context_options one = {.struct_size = sizeof one, .threads = 1};
    tgr_context *context;
    BENCH_TRY(tgr_context_create(&context, &one));
    bench_data small = create_data(context->compute.kernels, 4, 384);
    bench_size(&options, &small);
    bench_data large = create_data(context->compute.kernels, 32768, 384);
    bench_size(&options, &large);
    tgr_context_free(context);
    return 0;
}

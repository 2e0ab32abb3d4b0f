/* SPDX-License-Identifier: MIT */
/* How fast matrix products are: GFLOP/s of BLIS, of the AVX2 kernel and of the kernel in force (TGRMOE_KERNELS), one
 * thread each, then of a whole job through tgr_gemm_run with all threads. BLIS chooses its kernels by itself;
 * BLIS_ARCH_TYPE=0 (skx), =3 (haswell) and so on in the environment override it.
 *
 *     bench_gemm [--threads N] [--seconds S] [--only nt|nn|tn] */
#include <stdio.h>
#include <stdlib.h>

#include "base/context.h"
#include "bench/bench_support.h"
#include "bench/machine.h"
#include "kernels/gemm.h"
#include "kernels/kernels.h"
#include "kernels/variants.h"

typedef struct shape {
    int64_t m, n, k;
    const char *strides; /* "nt": B is transposed, as in y = x·Wᵀ; "nn": dx = dy·W; "tn": dW = dyᵀ·x */
    int count;           /* products in the list that runs in parallel, each with operands of its own */
} shape;

static const shape shapes[] = {
    {1024, 768, 192, "nt", 1}, {2048, 1536, 384, "nt", 1}, {2048, 2048, 2048, "nt", 1}, {64, 1536, 384, "nt", 1},
    {16, 1536, 384, "nt", 1},  {1024, 768, 192, "nn", 1},  {2048, 1536, 384, "nn", 1},  {2048, 2048, 2048, "nn", 1},
    {64, 1536, 384, "nn", 1},  {16, 1536, 384, "nn", 1},   {6400, 96, 96, "nt", 1},     {6400, 288, 96, "nt", 1},
    {6400, 384, 96, "nt", 1},  {6400, 96, 384, "nt", 1},   {6400, 384, 384, "nt", 1},   {6400, 96, 96, "nn", 1},
    {6400, 384, 96, "nn", 1},  {6400, 96, 384, "nn", 1},   {96, 96, 6400, "tn", 1},     {96, 384, 6400, "tn", 1},
    {384, 96, 6400, "tn", 1},  {384, 1536, 2048, "tn", 1}, {1536, 384, 2048, "tn", 1},  {50, 50, 24, "nt", 128},
    {50, 24, 50, "nn", 128},   {197, 197, 64, "nt", 16},   {197, 64, 197, "nn", 16},    {197, 64, 197, "tn", 16},
    {24, 768, 192, "nt", 128}, {24, 768, 192, "nn", 128},  {768, 192, 24, "tn", 128},   {197, 768, 192, "nt", 16},
    {197, 768, 192, "nn", 16}, {768, 192, 197, "tn", 16},
};
enum { SHAPES = sizeof shapes / sizeof *shapes, PRODUCTS_MOST = 128 };

typedef struct gemm_run {
    const tgr_compute *compute;
    void (*gemm)(const tgr_gemm *product, float *scratch); /* NULL: tgr_gemm_run */
    tgr_gemm products[PRODUCTS_MOST];
    int count, calls;
    float *scratch;
} gemm_run;

static void run(void *what) {
    const gemm_run *r = what;
    for (int call = 0; call < r->calls; call++) {
        if (r->gemm == NULL) tgr_gemm_run(r->compute, r->products, r->count);
        for (int i = 0; r->gemm && i < r->count; i++) r->gemm(&r->products[i], r->scratch);
    }
}

static double measure(gemm_run *r, void (*gemm)(const tgr_gemm *product, float *scratch), double seconds) {
    const tgr_gemm *product = &r->products[0];
    const double flops = 2.0 * r->count * (double)product->m * (double)product->n * (double)product->k;
    r->gemm = gemm;
    r->calls = (int)(1e8 / flops) + 1;
    return 1e-9 * flops * r->calls / bench_fastest(run, r, seconds);
}

static tgr_gemm make_product(const shape *s) {
    const int a_transposed = s->strides[0] == 't', b_transposed = s->strides[1] == 't';
    tgr_gemm product = {.m = s->m, .n = s->n, .k = s->k, .c_row = s->n};
    product.a = bench_random_floats(s->m * s->k, 1);
    product.a_row = a_transposed ? 1 : s->k;
    product.a_col = a_transposed ? s->m : 1;
    product.b = bench_random_floats(s->k * s->n, 2);
    product.b_row = b_transposed ? 1 : s->n;
    product.b_col = b_transposed ? s->k : 1;
    product.c = bench_allocate(s->m * s->n, sizeof(float));
    return product;
}

static void free_product(tgr_gemm *product) {
    free((void *)product->a);
    free((void *)product->b);
    free(product->c);
}

static void bench_shape(const shape *s, gemm_run *r, double peak, double seconds) {
    double avx2 = 0;
    char config[64];
    r->count = s->count;
    for (int i = 0; i < r->count; i++) r->products[i] = make_product(s);
    const double blis = tgr_usable_blis() ? measure(r, tgr_gemm_blis, seconds) : 0;
#if defined(__x86_64__)
    if (tgr_usable_avx2()) avx2 = measure(r, tgr_gemm_avx2, seconds);
#endif
    const double one = measure(r, r->compute->kernels->gemm, seconds), all = measure(r, NULL, seconds);
    snprintf(config, sizeof config, "%d x %d %d %d %s", s->count, (int)s->m, (int)s->n, (int)s->k, s->strides);
    bench_line_start("gemm", config);
    bench_line_text("kernels", r->compute->kernels->name);
    bench_line_number("blis_gflops", blis);
    bench_line_number("avx2_gflops", avx2);
    bench_line_number("gflops", one);
    bench_line_number("ms", 2e-6 * s->count * (double)s->m * (double)s->n * (double)s->k / one);
    bench_line_number("fma_peak_gflops", peak);
    bench_line_number("mfu", one / peak);
    bench_line_number("threads", r->compute->workers);
    bench_line_number("job_gflops", all);
    bench_line_end();
    fprintf(stderr, "%-24s %8.1f %8.1f %8.1f %6.2f %7.2f %10.1f %7.2f\n", config, blis, avx2, one, one / peak,
            one / blis, all, all / one);
    for (int i = 0; i < r->count; i++) free_product(&r->products[i]);
}

int main(int argc, char **argv) {
    const bench_options options = bench_read_options(argc, argv, 0.06);
    const int threads = options.thread_counts[options.thread_count_count - 1];
    const tgr_context_options all = {.struct_size = sizeof all, .threads = threads};
    tgr_context *context;
    BENCH_TRY(tgr_context_create(&context, &all));
    BENCH_TRY(tgr_compute_reserve(&context->compute, TGR_GEMM_SCRATCH));
    gemm_run r = {.compute = &context->compute, .scratch = bench_allocate(TGR_GEMM_SCRATCH, sizeof(float))};
    const double peak = machine_fma_peak(1, 0.3);
    fprintf(stderr, "\n%-24s %8s %8s %8s %6s %7s %8s %d %7s\n", "count x m n k", "blis", "avx2",
            context->compute.kernels->name, "mfu", "/ blis", "threads:", threads, "/ one");
    for (int i = 0; i < SHAPES; i++)
        if (bench_is_wanted(&options, shapes[i].strides)) bench_shape(&shapes[i], &r, peak, options.seconds);
    free(r.scratch);
    tgr_context_free(context);
    return 0;
}

/* SPDX-License-Identifier: MIT */
/* How fast matrix products are: GFLOP/s of every variant that this machine runs, the share of the fused multiply-add
 * peak, and the ratio to BLIS. BLIS chooses its kernels by itself; BLIS_ARCH_TYPE=0 (skx), =3 (haswell) and so on in
 * the environment override it. The last column runs the best variant through tgr_gemm_run with the threads of argument
 * 1 (default 2). */
#define _POSIX_C_SOURCE 200809L
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#if defined(__x86_64__)
#include <immintrin.h>
#endif

#include "base/context.h"
#include "kernels/gemm.h"
#include "kernels/gemm_blocked.h"
#include "kernels/gemm_variants.h"
#include "kernels/kernels.h"

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
enum { SHAPE_COUNT = sizeof shapes / sizeof shapes[0] };

typedef struct run {
    void (*once)(const struct run *run);
    void (*gemm)(const tgr_gemm *product, float *scratch);
    const tgr_compute *compute;
    tgr_gemm products[128];
    int count;
    float *scratch;
} run;

static double now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

static void run_serial(const run *r) {
    for (int i = 0; i < r->count; i++) r->gemm(&r->products[i], r->scratch);
}
static void run_parallel(const run *r) {
    tgr_gemm_run(r->compute, r->products, r->count);
}

/* GFLOP/s of the fastest of some batches of calls. */
static double measure(const run *r) {
    const tgr_gemm *product = &r->products[0];
    double flops = 2.0 * r->count * (double)product->m * (double)product->n * (double)product->k, best = 0.0;
    int calls = (int)(1e8 / flops) + 1;
    r->once(r);
    for (double end = now() + 0.15; now() < end;) {
        double start = now();
        for (int i = 0; i < calls; i++) r->once(r);
        double speed = 1e-9 * flops * calls / (now() - start);
        if (speed > best) best = speed;
    }
    return best;
}

#if defined(__x86_64__)
/* Independent fused multiply-adds, all in registers. */
#define PEAK(function, isa, type, set1, fmadd)                                            \
    __attribute__((target(isa))) static double function(void) {                           \
        enum { CHAINS = 12, FLOPS = 2 * CHAINS * sizeof(type) / sizeof(float) };          \
        type sum[CHAINS], x = set1(0.999f), y = set1(0.001f);                             \
        double best = 0.0;                                                                \
        for (int i = 0; i < CHAINS; i++) sum[i] = set1((float)i);                         \
        for (double end = now() + 0.3; now() < end;) {                                    \
            double start = now();                                                         \
            for (int loop = 0; loop < 1000000; loop++) {                                  \
                TGR_UNROLL for (int i = 0; i < CHAINS; i++) sum[i] = fmadd(sum[i], x, y); \
            }                                                                             \
            double speed = 1e-9 * 1e6 * FLOPS / (now() - start);                          \
            if (speed > best) best = speed;                                               \
        }                                                                                 \
        for (int i = 1; i < CHAINS; i++) sum[0] = fmadd(sum[i], x, sum[0]);               \
        volatile type keep = sum[0];                                                      \
        (void)keep;                                                                       \
        return best;                                                                      \
    }
PEAK(peak_avx512, "avx512f", __m512, _mm512_set1_ps, _mm512_fmadd_ps)
PEAK(peak_avx2, "avx2,fma", __m256, _mm256_set1_ps, _mm256_fmadd_ps)
#endif

static float *floats(int64_t count) {
    float *x = aligned_alloc(64, (size_t)(count + 15) / 16 * 64);
    if (!x) exit(1);
    for (int64_t i = 0; i < count; i++) x[i] = (float)(i % 17) * 0.1f - 0.8f;
    return x;
}

static tgr_gemm make_product(const shape *s) {
    int a_transposed = s->strides[0] == 't', b_transposed = s->strides[1] == 't';
    tgr_gemm product = {.m = s->m, .n = s->n, .k = s->k, .c_row = s->n};
    product.a = floats(s->m * s->k);
    product.a_row = a_transposed ? 1 : s->k;
    product.a_col = a_transposed ? s->m : 1;
    product.b = floats(s->k * s->n);
    product.b_row = b_transposed ? 1 : s->n;
    product.b_col = b_transposed ? s->k : 1;
    product.c = floats(s->m * s->n);
    return product;
}

static void free_product(tgr_gemm *product) {
    free((void *)product->a);
    free((void *)product->b);
    free(product->c);
}

static double measure_serial(run *r, void (*gemm)(const tgr_gemm *product, float *scratch)) {
    r->once = run_serial;
    r->gemm = gemm;
    return measure(r);
}

static void measure_shape(const shape *s, run *r, double peak) {
    r->count = s->count;
    for (int i = 0; i < r->count; i++) r->products[i] = make_product(s);
    double blis = tgr_usable_blis() ? measure_serial(r, tgr_gemm_blis) : 0.0, avx2 = 0.0;
#if defined(__x86_64__)
    if (tgr_usable_avx2()) avx2 = measure_serial(r, tgr_gemm_avx2);
#endif
    double best = measure_serial(r, r->compute->kernels->gemm);
    r->once = run_parallel;
    double parallel = measure(r);
    printf("%3d x %4d %4d %4d %s %8.1f %8.1f %8.1f %6.0f%% %6.2f %9.1f %6.2f\n", s->count, (int)s->m, (int)s->n,
           (int)s->k, s->strides, blis, avx2, best, 100.0 * best / peak, best / blis, parallel, parallel / best);
    for (int i = 0; i < r->count; i++) free_product(&r->products[i]);
}

int main(int argc, char **argv) {
    tgr_context *context;
    tgr_context_options options = {.struct_size = sizeof options, .threads = argc > 1 ? atoi(argv[1]) : 2};
    if (tgr_context_create(&context, &options) || tgr_compute_reserve(&context->compute, TGR_GEMM_SCRATCH)) {
        fprintf(stderr, "%s\n", tgr_last_error());
        return 1;
    }
    run r = {.compute = &context->compute, .scratch = floats(TGR_GEMM_SCRATCH)};
    double peak = 1.0;
#if defined(__x86_64__)
    if (tgr_usable_avx2()) printf("peak of avx2: %.0f GFLOP/s\n", peak = peak_avx2());
    if (tgr_usable_avx512()) printf("peak of avx512: %.0f GFLOP/s\n", peak = peak_avx512());
#endif
    const char *name = context->compute.kernels->name;
    printf("count    m    n    k        blis     avx2 %8s   peak  /blis %d threads  /one\n", name, options.threads);
    for (int i = 0; i < SHAPE_COUNT; i++) measure_shape(&shapes[i], &r, peak);
    free(r.scratch);
    tgr_context_free(context);
    return 0;
}

/* SPDX-License-Identifier: MIT */
/* How fast attention runs against the FMA peak: GFLOP/s, 4·tokens²·head_dim forward and 10 backward for each head (the
 * scores are computed twice). TGRMOE_KERNELS chooses the kernels.
 *
 *     bench_attention [--threads N] [--seconds S] */
#include <stdio.h>
#include <stdlib.h>

#include "base/context.h"
#include "bench/bench_support.h"
#include "bench/machine.h"
#include "kernels/attention.h"
#include "kernels/kernels.h"

static const struct bench_shape {
    int64_t batch, tokens, heads, head_dim;
} bench_shapes[] = {{64, 17, 4, 24},  {128, 50, 4, 24}, {64, 50, 6, 64},
                    {16, 197, 3, 64}, {16, 197, 6, 64}, {2, 1025, 6, 64}};

typedef struct attention_run {
    const tgr_compute *compute;
    tgr_attention attention;
    const float *dout; /* NULL for the forward pass */
    float *dqkv;
} attention_run;

static void run(void *what) {
    const attention_run *r = what;
    if (r->dout)
        tgr_attention_backward(r->compute, &r->attention, r->dout, r->dqkv);
    else
        tgr_attention_forward(r->compute, &r->attention);
}

static void bench_pass(attention_run *r, const char *pass, double flops, double peak, double duration) {
    const tgr_attention *a = &r->attention;
    const double seconds = bench_fastest(run, r, duration), gflops = 1e-9 * flops / seconds;
    char config[96];
    snprintf(config, sizeof config, "%s batch=%lld tokens=%lld heads=%lld head_dim=%lld", pass, (long long)a->batch,
             (long long)a->tokens, (long long)a->heads, (long long)a->head_dim);
    bench_line_start("attention", config);
    bench_line_text("kernels", r->compute->kernels->name);
    bench_line_number("threads", r->compute->workers);
    bench_line_number("ms", 1e3 * seconds);
    bench_line_number("gflops", gflops);
    bench_line_number("fma_peak_gflops", peak);
    bench_line_number("mfu", gflops / peak);
    bench_line_end();
    fprintf(stderr, "%-56s %7d %9.3f %9.1f %6.2f\n", config, r->compute->workers, 1e3 * seconds, gflops, gflops / peak);
}

static void bench_shape(tgr_context *context, const struct bench_shape *s, double peak, double seconds) {
    const int64_t rows = s->batch * s->heads * s->tokens, outs = rows * s->head_dim;
    const double forward = 4 * (double)outs * (double)s->tokens;
    BENCH_TRY(tgr_compute_reserve(&context->compute, tgr_attention_scratch(s->tokens, s->head_dim)));
    float *memory = bench_random_floats(8 * outs + rows, 1);
    attention_run r = {.compute = &context->compute, .dqkv = memory + 5 * outs};
    r.attention = (tgr_attention){.batch = s->batch,
                                  .tokens = s->tokens,
                                  .heads = s->heads,
                                  .head_dim = s->head_dim,
                                  .qkv = memory,
                                  .out = memory + 3 * outs,
                                  .lse = memory + 8 * outs};
    bench_pass(&r, "forward", forward, peak, seconds);
    r.dout = memory + 4 * outs;
    bench_pass(&r, "backward", 2.5 * forward, peak, seconds);
    free(memory);
}

int main(int argc, char **argv) {
    const bench_options options = bench_read_options(argc, argv, 0.2);
    fprintf(stderr, "\n%-56s %7s %9s %9s %6s\n", "attention", "threads", "ms", "GFLOP/s", "mfu");
    for (int i = 0; i < options.thread_count_count; i++) {
        const tgr_context_options threads = {.struct_size = sizeof threads, .threads = options.thread_counts[i]};
        tgr_context *context;
        BENCH_TRY(tgr_context_create(&context, &threads));
        const double peak = machine_fma_peak(threads.threads, 0.2);
        for (size_t s = 0; s < sizeof bench_shapes / sizeof *bench_shapes; s++)
            bench_shape(context, &bench_shapes[s], peak, options.seconds);
        tgr_context_free(context);
    }
    return 0;
}

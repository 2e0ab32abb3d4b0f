/* SPDX-License-Identifier: MIT */
/* How fast attention runs: GFLOP/s (4·tokens²·head_dim forward and 10 backward for each head) and ms for a batch.
 * TGRMOE_KERNELS chooses the kernels. Usage: bench_attention [threads] */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/context.h"
#include "kernels/attention.h"
#include "kernels/kernels.h"

static const struct bench_shape {
    int64_t batch, tokens, heads, head_dim;
} bench_shapes[] = {{64, 17, 4, 24},  {64, 50, 4, 24},  {64, 50, 6, 64},
                    {16, 197, 3, 64}, {16, 197, 6, 64}, {2, 1025, 6, 64}};

static double seconds(void) {
    struct timespec now;
    timespec_get(&now, TIME_UTC);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

static void run(const tgr_compute *compute, const tgr_attention *attention, const float *dout, float *dqkv) {
    if (dqkv)
        tgr_attention_backward(compute, attention, dout, dqkv);
    else
        tgr_attention_forward(compute, attention);
}

static double fastest(const tgr_compute *compute, const tgr_attention *attention, const float *dout, float *dqkv) {
    double best = 1e9, end = seconds() + 0.3;
    do {
        double start = seconds();
        run(compute, attention, dout, dqkv);
        double time = seconds() - start;
        best = time < best ? time : best;
    } while (seconds() < end);
    return best;
}

static int bench(tgr_context *context, const struct bench_shape *s) {
    int64_t rows = s->batch * s->heads * s->tokens, outs = rows * s->head_dim;
    if (tgr_compute_reserve(&context->compute, tgr_attention_scratch(s->tokens, s->head_dim)) != TGR_OK) return 0;
    float *memory = malloc((size_t)(8 * outs + rows) * sizeof(float));
    if (!memory) return 0;
    for (int64_t i = 0; i < 8 * outs; i++) memory[i] = (float)(i * 17 % 61 - 30) / 30.0f;
    tgr_attention attention = {.batch = s->batch,
                               .tokens = s->tokens,
                               .heads = s->heads,
                               .head_dim = s->head_dim,
                               .qkv = memory,
                               .out = memory + 3 * outs,
                               .lse = memory + 8 * outs};
    double gflop = (double)outs * (double)s->tokens * 1e-9;
    double forward = fastest(&context->compute, &attention, NULL, NULL);
    double backward = fastest(&context->compute, &attention, memory + 4 * outs, memory + 5 * outs);
    printf("%5lld %6lld %5lld %8lld %12.1f %8.3f %12.1f %8.3f\n", (long long)s->batch, (long long)s->tokens,
           (long long)s->heads, (long long)s->head_dim, 4 * gflop / forward, forward * 1e3, 10 * gflop / backward,
           backward * 1e3);
    free(memory);
    return 1;
}

int main(int argc, char **argv) {
    tgr_context_options options = {.struct_size = sizeof options, .threads = argc > 1 ? atoi(argv[1]) : 1};
    tgr_context *context;
    if (tgr_context_create(&context, &options) != TGR_OK) {
        fprintf(stderr, "%s\n", tgr_last_error());
        return 1;
    }
    printf("%s, %d threads\nbatch tokens heads head_dim  forward: GF/s    ms   backward: GF/s    ms\n",
           context->compute.kernels->name, context->compute.workers);
    for (size_t i = 0; i < sizeof bench_shapes / sizeof *bench_shapes; i++)
        if (!bench(context, &bench_shapes[i])) return 1;
    tgr_context_free(context);
    return 0;
}

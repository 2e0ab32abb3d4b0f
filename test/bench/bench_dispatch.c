/* SPDX-License-Identifier: MIT */
/* What lies between router and experts, one thread: the K largest of a token's gates, gathering tokens into the
 * experts' slots, combining the experts' outputs, and the ways back; against the bandwidth of y += x over as much
 * memory.
 *
 *     bench_dispatch [--seconds S] */
#include <stdio.h>
#include <stdlib.h>

#include "base/context.h"
#include "bench/bench_support.h"
#include "bench/machine.h"
#include "routing/gates/topk.h"
#include "routing/slots/dispatch.h"
#include "tgrmoe/tgrmoe.h"

enum { DIM = 384, TOKENS = 4096, EXPERTS = 16 };

typedef struct dispatch_data {
    tgr_layer_router router;
    tgr_routing_pass pass;
    const tgr_routing *routing; /* of a batch of random tokens */
    int64_t top_k;
    float *tokens, *dtokens; /* [TOKENS, DIM] */
    float *slots;            /* [TOKENS · K, DIM] */
    float *dgates;           /* [TOKENS, K] */
    float *gates;            /* [TOKENS, EXPERTS] */
    int32_t *chosen;         /* [TOKENS, K] */
} dispatch_data;

static void run_top_k(void *what) {
    const dispatch_data *d = what;
    for (int t = 0; t < TOKENS; t++) tgr_top_k(d->gates + t * EXPERTS, EXPERTS, d->top_k, d->chosen + t * d->top_k);
}
static void run_gather(void *what) {
    const dispatch_data *d = what;
    tgr_gather_tokens(&d->router, &d->pass, &d->routing->slots, d->tokens, NULL, d->slots);
}
static void run_combine(void *what) {
    const dispatch_data *d = what;
    tgr_combine_tokens(&d->router, &d->pass, &d->routing->choices, &d->routing->slots, d->slots, NULL, d->dtokens);
}
static void run_combine_backward(void *what) {
    const dispatch_data *d = what;
    tgr_combine_tokens_backward(&d->router, &d->pass, &d->routing->choices, &d->routing->slots, d->tokens, d->slots,
                                NULL, d->dgates, d->slots);
}
static void run_gather_backward(void *what) {
    const dispatch_data *d = what;
    tgr_gather_tokens_backward(&d->router, &d->pass, &d->routing->slots, d->tokens, d->slots, NULL, d->dtokens);
}

/* Of each a number read or written is an element: tokens once, slots as often as they are touched. */
static const struct dispatch_step {
    const char *name;
    int tokens, slots; /* passes over [TOKENS, DIM] and [TOKENS · K, DIM] */
    void (*run)(void *what);
} steps[] = {
    {"gather", 1, 1, run_gather},
    {"combine", 1, 1, run_combine},
    {"combine_backward", 1, 2, run_combine_backward},
    {"gather_backward", 1, 1, run_gather_backward},
};

static void write_line(const char *name, int64_t top_k, double numbers, double seconds, double bandwidth) {
    const double rate = 1e-9 * numbers / seconds;
    char config[64];
    snprintf(config, sizeof config, "%s tokens=%d experts=%d top_k=%lld", name, TOKENS, EXPERTS, (long long)top_k);
    bench_line_start("dispatch", config);
    bench_line_number("threads", 1);
    bench_line_number("ms", 1e3 * seconds);
    bench_line_number("elements_per_ns", rate);
    bench_line_number("gb_per_s", 4 * rate);
    bench_line_number("bandwidth_gb_per_s", bandwidth);
    bench_line_number("share_of_bound", 4 * rate / bandwidth);
    bench_line_end();
    fprintf(stderr, "%-56s %8.3f %11.2f %8.1f %9.2f\n", config, 1e3 * seconds, rate, 4 * rate, 4 * rate / bandwidth);
}

static void bench_top_k(tgr_context *context, int64_t top_k, double seconds) {
    tgr_config *config;
    tgr_moe *moe;
    dispatch_data d = {.top_k = top_k,
                       .tokens = bench_random_floats((int64_t)TOKENS * DIM, 1),
                       .dtokens = bench_random_floats((int64_t)TOKENS * DIM, 2),
                       .slots = bench_random_floats(TOKENS * top_k * DIM, 3),
                       .dgates = bench_allocate(TOKENS * top_k, sizeof(float)),
                       .gates = bench_random_floats((int64_t)TOKENS * EXPERTS, 4),
                       .chosen = bench_allocate(TOKENS * top_k, sizeof(int32_t))};
    BENCH_TRY(tgr_config_create(&config, context));
    bench_configure(config, "method=vmoe mlp_ratio=0.1");
    BENCH_TRY(tgr_config_set_i64(config, TGR_OPTION_EXPERTS, EXPERTS));
    BENCH_TRY(tgr_config_set_i64(config, TGR_OPTION_TOP_K, top_k));
    BENCH_TRY(tgr_moe_create(&moe, context, config, DIM));
    BENCH_TRY(tgr_moe_forward(moe, TGR_TRAIN, d.tokens, TOKENS, d.dtokens));
    d.routing = tgr_moe_routing(moe);
    d.router = (tgr_layer_router){
        .compute = &context->compute, .options = {.experts = EXPERTS, .top_k = top_k}, .shape = {.dim = DIM}};
    d.pass = (tgr_routing_pass){.mode = TGR_TRAIN, .tokens = TOKENS};
    const int64_t row_bytes = DIM * (int64_t)sizeof(float);
    const double bandwidth = machine_bandwidth((1 + top_k) * TOKENS * row_bytes, 0.2);
    write_line("top_k", top_k, (double)TOKENS * EXPERTS, bench_fastest(run_top_k, &d, seconds), bandwidth);
    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
        const double numbers = (double)(steps[i].tokens + steps[i].slots * top_k) * TOKENS * DIM;
        write_line(steps[i].name, top_k, numbers, bench_fastest(steps[i].run, &d, seconds), bandwidth);
    }
    tgr_moe_free(moe);
    tgr_config_free(config);
    free(d.tokens), free(d.dtokens), free(d.slots), free(d.dgates), free(d.gates), free(d.chosen);
}

int main(int argc, char **argv) {
    const bench_options options = bench_read_options(argc, argv, 0.1);
    const tgr_context_options one = {.struct_size = sizeof one, .threads = 1, .seed = 1};
    tgr_context *context;
    BENCH_TRY(tgr_context_create(&context, &one));
    fprintf(stderr, "\n%-56s %8s %11s %8s %9s\n", "dispatch", "ms", "elements/ns", "GB/s", "of bound");
    bench_top_k(context, 1, options.seconds);
    bench_top_k(context, 2, options.seconds);
    tgr_context_free(context);
    return 0;
}

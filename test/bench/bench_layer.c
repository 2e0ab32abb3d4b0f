/* SPDX-License-Identifier: MIT */
/* One MoE layer against a dense FFN of equal active FLOPs, forward and backward: d = 384, hidden 1536, 4096 tokens, K =
 * 1, uniform routing and routing by Zipf's law (expert e gets a share in proportion to 1/e). The layer is the public
 * tgr_moe with V-MoE's defaults (noise, importance and load losses), the FFN that of the library's dense blocks
 * (layers/ffn.h), which has no public handle. All run in turn; `ratio` is the time over the FFN's. Gradients are summed
 * on, as in gradient accumulation, and no optimizer runs. FLOPs are those of these sizes, whatever --set makes of them.
 *
 *     bench_layer [--threads N] [--seconds S] [--only uniform|zipf] [--set key=value] */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/context.h"
#include "base/pool.h"
#include "bench/bench_support.h"
#include "kernels/gemm.h"
#include "kernels/parallel_rows.h"
#include "layers/ffn.h"
#include "tgrmoe/tgrmoe.h"

enum { DIM = 384, HIDDEN = 1536, TOKENS = 4096, EXPERTS_MOST = 128 };
/* Three times 2 · tokens · (d · hidden + hidden · d). */
static const double step_flops = 3.0 * 2 * TOKENS * 2.0 * DIM * HIDDEN;

static const struct layer_case {
    int experts;
    const char *routing;
} cases[] = {
    {8, "uniform"}, {16, "uniform"}, {32, "uniform"}, {64, "uniform"}, {128, "uniform"}, {16, "zipf"}, {64, "zipf"},
};
enum { CASES = sizeof cases / sizeof *cases };

/* One context for all, so that weights need not be made for each number of threads: an executor that runs tasks either
 * on the calling thread alone or on a pool of all. */
typedef struct switched_pool {
    tgr_pool *all;
    int serial;
} switched_pool;

static void run_tasks(void *user, int64_t tasks, tgr_task_fn fn, void *job) {
    const switched_pool *pool = user;
    if (!pool->serial) {
        tgr_pool_run(pool->all, tasks, fn, job);
        return;
    }
    for (int64_t task = 0; task < tasks; task++) fn(job, task, 0);
}

static tgr_context *create_context(switched_pool *pool, int threads) {
    const tgr_executor executor = {.struct_size = sizeof executor, .user = pool, .workers = threads, .run = run_tasks};
    tgr_context_options options = {.struct_size = sizeof options, .seed = 1};
    tgr_context *context;
    BENCH_TRY(tgr_pool_create(&pool->all, threads));
    BENCH_TRY(tgr_pool_create_from_executor(&options.pool, &executor));
    BENCH_TRY(tgr_context_create(&context, &options));
    tgr_pool_free(options.pool);
    return context;
}

/* What a layer reads and writes, [TOKENS, DIM] each. */
typedef struct layer_rows {
    float *x, *y, *dy, *dx;
} layer_rows;

static layer_rows create_rows(void) {
    const int64_t count = (int64_t)TOKENS * DIM;
    return (layer_rows){.x = bench_random_floats(count, 1),
                        .dy = bench_random_floats(count, 2),
                        .y = bench_allocate(count, sizeof(float)),
                        .dx = bench_allocate(count, sizeof(float))};
}

static void free_rows(layer_rows *rows) {
    free(rows->x), free(rows->y), free(rows->dy), free(rows->dx);
}

typedef struct dense_layer {
    tgr_parameters *parameters;
    tgr_ffn ffn;
    float *partial; /* see tgr_ffn_backward */
    void *memory;
    layer_rows rows;
} dense_layer;

static void run_dense(const dense_layer *layer) {
    const layer_rows *rows = &layer->rows;
    tgr_ffn_forward(&layer->ffn, TGR_ALL_ROWS(TOKENS), rows->x, rows->y, 0);
    tgr_ffn_backward(&layer->ffn, TGR_ALL_ROWS(TOKENS), rows->x, rows->dy, rows->dx, 0, layer->partial);
}

static void plan_dense(dense_layer *layer, tgr_arena *arena) {
    tgr_ffn_plan_kept(&layer->ffn, arena, TOKENS);
    tgr_ffn_plan_work(&layer->ffn, TGR_TRAIN, arena, TOKENS);
    layer->partial = tgr_arena_floats(arena, 1, tgr_partial_floats(TOKENS, HIDDEN, 1));
}

static void create_dense(dense_layer *layer, tgr_context *context) {
    *layer = (dense_layer){.rows = create_rows()};
    BENCH_TRY(tgr_parameters_create(&layer->parameters, context));
    BENCH_TRY(tgr_ffn_declare(&layer->ffn, layer->parameters, "ffn", 0, DIM, HIDDEN, TGR_PRECISION_FLOAT32));
    BENCH_TRY(tgr_parameters_seal(layer->parameters));
    BENCH_TRY(tgr_compute_reserve(&context->compute, TGR_GEMM_SCRATCH));
    tgr_ffn_initialise(&layer->ffn, 0.02);
    tgr_arena arena = {0};
    plan_dense(layer, &arena);
    layer->memory = bench_allocate(arena.used, 1);
    arena = (tgr_arena){.base = layer->memory, .capacity = arena.used};
    plan_dense(layer, &arena);
}

static void free_dense(dense_layer *layer) {
    free_rows(&layer->rows);
    free(layer->memory);
    tgr_parameters_release(layer->parameters);
}

typedef struct sparse_layer {
    tgr_moe *moe;
    layer_rows rows;
} sparse_layer;

static void run_sparse(const sparse_layer *layer) {
    const layer_rows *rows = &layer->rows;
    BENCH_TRY(tgr_moe_forward(layer->moe, TGR_TRAIN, rows->x, TOKENS, rows->y));
    BENCH_TRY(tgr_moe_backward(layer->moe, rows->dy, rows->dx));
}

/* The expert of each token, in shares that fall by `exponent`, tokens in random order. */
static void deal_tokens(int experts, double exponent, int *expert_of) {
    double weight[EXPERTS_MOST], total = 0, sum = 0;
    uint32_t random = 3;
    for (int e = 0; e < experts; e++) total += weight[e] = exponent > 0 ? 1.0 / (e + 1) : 1.0;
    for (int t = 0, e = 0; t < TOKENS; t++) {
        while (e < experts - 1 && (t + 0.5) / TOKENS > (sum + weight[e]) / total) sum += weight[e++];
        expert_of[t] = e;
    }
    for (int t = TOKENS - 1; t > 0; t--) {
        random = random * 1664525U + 1013904223U;
        const int other = (int)((random >> 8) % (uint32_t)(t + 1)), swapped = expert_of[t];
        expert_of[t] = expert_of[other];
        expert_of[other] = swapped;
    }
}

/* Number e of a token's input is 3 for the expert that it is to go to, random below 1 otherwise, and the router reads
 * number e for expert e, four times as large: noise cannot change the choice. */
static void force_routing(sparse_layer *layer, int experts, const int *expert_of) {
    float *router; /* [experts, DIM] */
    tgr_parameters *parameters = tgr_moe_parameters(layer->moe);
    int64_t index = tgr_parameters_find(parameters, "router.weight");
    BENCH_TRY(tgr_parameters_value(parameters, index, &router));
    for (int e = 0; e < experts; e++)
        for (int d = 0; d < DIM; d++) router[e * DIM + d] = d == e ? 4 : 0;
    for (int t = 0; t < TOKENS; t++) layer->rows.x[t * DIM + expert_of[t]] = 3;
}

static void check_routing(const sparse_layer *layer, const int *expert_of) {
    BENCH_TRY(tgr_moe_forward(layer->moe, TGR_TRAIN, layer->rows.x, TOKENS, layer->rows.y));
    tgr_routing_view view = {.struct_size = sizeof view};
    BENCH_TRY(tgr_routing_read(tgr_moe_routing(layer->moe), &view));
    const int32_t *choices = view.choices;
    for (int t = 0; t < TOKENS; t++)
        if (choices[t] != expert_of[t]) bench_fail("token %d went to %d, not to %d", t, choices[t], expert_of[t]);
}

static void create_moe(tgr_moe **moe, tgr_context *context, int experts, const char *settings) {
    tgr_config *config;
    BENCH_TRY(tgr_config_create(&config, context));
    BENCH_TRY(tgr_config_set(config, "method", "vmoe"));
    BENCH_TRY(tgr_config_set_i64(config, TGR_OPTION_EXPERTS, experts));
    bench_configure(config, settings);
    BENCH_TRY(tgr_moe_create(moe, context, config, DIM));
    tgr_config_free(config);
}

/* The inputs that make for the case's routing, and `moe`, which other layers may use as well. */
static void create_sparse(sparse_layer *layer, const struct layer_case *c, tgr_moe *moe) {
    static int expert_of[TOKENS];
    *layer = (sparse_layer){.moe = moe, .rows = create_rows()};
    deal_tokens(c->experts, c->routing[0] == 'z', expert_of);
    force_routing(layer, c->experts, expert_of);
    check_routing(layer, expert_of);
}

/* A layer with a number of threads. */
typedef struct timed_layer {
    switched_pool *pool;
    const dense_layer *dense; /* or NULL */
    const sparse_layer *sparse;
    int threads;
} timed_layer;

static void run_layer(void *what) {
    const timed_layer *timed = what;
    timed->pool->serial = timed->threads == 1;
    if (timed->dense)
        run_dense(timed->dense);
    else
        run_sparse(timed->sparse);
}

static void write_line(const struct layer_case *c, const bench_side *side, const bench_side *dense) {
    const double gflops = 1e-6 * step_flops / side->median, ratio = bench_ratio(side, dense);
    char config[64] = "dense FFN";
    if (c) snprintf(config, sizeof config, "experts=%d %s", c->experts, c->routing);
    bench_line_start("layer", config);
    bench_line_timing(side, step_flops);
    bench_line_number("ratio", ratio);
    bench_line_number("ratio_fastest", side->fastest / dense->fastest);
    bench_line_end();
    fprintf(stderr, "%-24s %7d %10.2f %11.2f %8.1f %6.2f %8.3f %15.3f\n", config, side->threads, side->median,
            side->fastest, gflops, gflops / side->peak, ratio, side->fastest / dense->fastest);
}

/* All cases and the dense layer, each with every number of threads. */
static void bench_layers(const bench_options *options, tgr_context *context, switched_pool *pool) {
    static dense_layer dense;
    static sparse_layer layers[CASES];
    static timed_layer timed[2 * (CASES + 1)];
    tgr_moe *moes[EXPERTS_MOST + 1] = {0};
    bench_side *sides = bench_sides(2 * (CASES + 1));
    int count = 0;
    create_dense(&dense, context);
    for (int c = -1; c < CASES; c++) {
        if (c >= 0 && !bench_is_wanted(options, cases[c].routing)) continue;
        if (c >= 0) {
            tgr_moe **moe = &moes[cases[c].experts];
            if (*moe == NULL) create_moe(moe, context, cases[c].experts, options->settings);
            create_sparse(&layers[c], &cases[c], *moe);
        }
        for (int i = 0; i < options->thread_count_count; i++, count++) {
            timed[count] =
                (timed_layer){pool, c < 0 ? &dense : NULL, c < 0 ? NULL : &layers[c], options->thread_counts[i]};
            sides[count].step = run_layer;
            sides[count].what = &timed[count];
            sides[count].threads = options->thread_counts[i];
        }
    }
    bench_in_turn(sides, count, options->seconds);
    for (int i = 0; i < options->thread_count_count; i++) {
        for (int s = i; s < count; s += options->thread_count_count) {
            const sparse_layer *sparse = timed[s].sparse;
            write_line(sparse ? &cases[sparse - layers] : NULL, &sides[s], &sides[i]);
        }
    }
    for (int c = 0; c < CASES; c++) free_rows(&layers[c].rows);
    for (int e = 0; e <= EXPERTS_MOST; e++) tgr_moe_free(moes[e]);
    free_dense(&dense);
    free(sides);
}

int main(int argc, char **argv) {
    const bench_options options = bench_read_options(argc, argv, 6);
    switched_pool pool = {0};
    tgr_context *context = create_context(&pool, options.thread_counts[options.thread_count_count - 1]);
    fprintf(stderr, "\n%-24s %7s %10s %11s %8s %6s %8s %15s\n", "layer", "threads", "ms", "ms fastest", "GFLOP/s",
            "mfu", "/ dense", "fastest/fastest");
    bench_layers(&options, context, &pool);
    tgr_context_free(context);
    tgr_pool_free(pool.all);
    return 0;
}

/* SPDX-License-Identifier: MIT */
/* Speed of whole training steps: forward, backward, optimizer. One JSON object per line.
 *
 *     bench_step [threads [seconds [name]]]
 *
 * gflops counts model FLOPs: 3 · batch · Σ_blocks [2·N·(4d² + 8d²·K or 1) + 4·N²·d] for a step. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "tgrmoe/tgrmoe.h"

#define TRY(call)                                                  \
    do {                                                           \
        if ((call) != TGR_OK) {                                    \
            fprintf(stderr, "bench_step: %s\n", tgr_last_error()); \
            exit(1);                                               \
        }                                                          \
    } while (0)

typedef struct bench_case {
    const char *name;
    const char *settings[16]; /* key, value, key, value …, NULL */
    int batch;
} bench_case;

static const bench_case cases[] = {
    {"F", {"preset", "fashion", "method", "vmoe"}, 128},
    {"F-dense", {"preset", "fashion", "method", "dense"}, 128},
    {"T", {"preset", "tiny", "method", "vmoe", "experts", "16"}, 16},
    {"T-dense", {"preset", "tiny", "method", "dense"}, 16},
    {"S", {"preset", "small", "method", "vmoe", "experts", "16", "top_k", "2"}, 16},
};

static double seconds_now(void) {
    struct timespec now;
    timespec_get(&now, TIME_UTC);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

static double model_flops(const tgr_config *config, int batch, int64_t tokens, int64_t moe_layers) {
    int64_t dim, depth, top_k;
    TRY(tgr_config_get_i64(config, TGR_OPTION_EMBED_DIM, &dim));
    TRY(tgr_config_get_i64(config, TGR_OPTION_DEPTH, &depth));
    TRY(tgr_config_get_i64(config, TGR_OPTION_TOP_K, &top_k));
    const double n = (double)tokens, d = (double)dim;
    const double ffn = (double)(depth - moe_layers) + (double)(moe_layers * top_k);
    return 3.0 * batch * (2 * n * d * d * (4 * (double)depth + 8 * ffn) + 4 * n * n * d * (double)depth);
}

static void run(const bench_case *bench, int threads, double seconds) {
    tgr_context_options options = {.struct_size = sizeof options, .threads = threads, .seed = 1};
    tgr_context *context;
    tgr_config *config;
    tgr_model *model;
    tgr_loss *loss;
    tgr_optimizer *optimizer;
    tgr_parameters *parameters;
    TRY(tgr_context_create(&context, &options));
    TRY(tgr_config_create(&config, context));
    for (int i = 0; bench->settings[i]; i += 2) TRY(tgr_config_set(config, bench->settings[i], bench->settings[i + 1]));
    TRY(tgr_model_create(&model, context, config));
    TRY(tgr_loss_create(&loss, model, NULL));
    TRY(tgr_model_parameters(model, &parameters));
    TRY(tgr_optimizer_create(&optimizer, config, parameters));

    int64_t size, channels, classes, tokens, moe_layers;
    TRY(tgr_config_get_i64(config, TGR_OPTION_IMAGE_SIZE, &size));
    TRY(tgr_config_get_i64(config, TGR_OPTION_CHANNELS, &channels));
    TRY(tgr_config_get_i64(config, TGR_OPTION_CLASSES, &classes));
    const size_t count = (size_t)(bench->batch * channels * size * size);
    float *images = malloc(count * sizeof *images);
    int32_t *labels = malloc((size_t)bench->batch * sizeof *labels);
    if (!images || !labels) exit(1);
    uint32_t random = 1;
    for (size_t i = 0; i < count; i++)
        images[i] = (float)((random = random * 1664525u + 1013904223u) >> 8) / 8388608.0f - 1;
    for (int i = 0; i < bench->batch; i++) labels[i] = (int32_t)(i % classes);

    double forward = 0, begin = 0;
    uint64_t allocations_before = 0, allocations = 0, peak = 0;
    int steps = -2; /* two steps to warm up */
    for (; steps <= 0 || seconds_now() - begin < seconds; steps++) {
        if (steps == 0) {
            begin = seconds_now();
            forward = 0;
            TRY(tgr_context_allocations(context, &allocations_before));
        }
        const double start = seconds_now();
        TRY(tgr_model_forward(model, TGR_TRAIN, images, bench->batch));
        forward += seconds_now() - start;
        TRY(tgr_loss_compute(loss, labels, NULL));
        TRY(tgr_loss_backward(loss));
        TRY(tgr_optimizer_step(optimizer));
    }
    const double elapsed = seconds_now() - begin;
    TRY(tgr_context_allocations(context, &allocations));
    TRY(tgr_context_memory(context, NULL, &peak));
    TRY(tgr_model_features(model, NULL, NULL, &tokens, NULL));
    TRY(tgr_model_moe_layers(model, &moe_layers));
    const char *kernels;
    TRY(tgr_context_kernels(context, &kernels));
    const double flops = model_flops(config, bench->batch, tokens, moe_layers);
    printf(
        "{\"name\": \"%s\", \"kernels\": \"%s\", \"threads\": %d, \"batch\": %d, \"img_per_s\": %.1f, \"gflops\": "
        "%.1f, "
        "\"ms\": %.2f, \"forward_ms\": %.2f, \"bytes_peak\": %llu, \"allocs_per_step\": %.2f}\n",
        bench->name, kernels, threads, bench->batch, bench->batch * steps / elapsed, flops * steps / elapsed * 1e-9,
        elapsed / steps * 1e3, forward / steps * 1e3, (unsigned long long)peak,
        (double)(allocations - allocations_before) / steps);
    fflush(stdout);
    free(labels);
    free(images);
    tgr_optimizer_free(optimizer);
    tgr_loss_free(loss);
    tgr_model_free(model);
    tgr_config_free(config);
    tgr_context_free(context);
}

int main(int argc, char **argv) {
    const int threads = argc > 1 ? atoi(argv[1]) : 1;
    const double seconds = argc > 2 ? atof(argv[2]) : 5;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        if (argc <= 3 || strcmp(argv[3], cases[i].name) == 0) run(&cases[i], threads, seconds);
    }
    return 0;
}

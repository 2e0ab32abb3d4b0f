/* SPDX-License-Identifier: MIT */
#include "bench/model_run.h"

#include <stdlib.h>

#include "bench/bench_support.h"

const model_case model_cases[] = {
    {"F", "preset=fashion method=vmoe", 128},
    {"F-dense", "preset=fashion method=dense", 128},
    {"T", "preset=tiny method=vmoe experts=16", 16},
    {"T-dense", "preset=tiny method=dense", 16},
    {"S", "preset=small method=vmoe experts=16 top_k=2", 16},
    {"S-dense", "preset=small method=dense", 16},
    {0},
};

static int64_t integer(const tgr_config *config, tgr_option option) {
    int64_t value;
    BENCH_TRY(tgr_config_get_i64(config, option, &value));
    return value;
}

/* batch · Σ_blocks [2·N·(4d² + 8d²·K or 1) + 4·N²·d] */
static double count_flops(const model_run *run) {
    int64_t moe_layers = tgr_model_moe_layer_count(run->model);
    const int64_t side = integer(run->config, TGR_OPTION_IMAGE_SIZE) / integer(run->config, TGR_OPTION_PATCH_SIZE);
    const double n = (double)(side * side + 1), d = (double)integer(run->config, TGR_OPTION_EMBED_DIM);
    const double depth = (double)integer(run->config, TGR_OPTION_DEPTH);
    const double ffns = depth + (double)(moe_layers * (integer(run->config, TGR_OPTION_TOP_K) - 1));
    return (double)run->batch * (2 * n * d * d * (4 * depth + 8 * ffns) + 4 * n * n * d * depth);
}

static void make_up_images(model_run *run) {
    const int64_t size = integer(run->config, TGR_OPTION_IMAGE_SIZE);
    const int64_t classes = integer(run->config, TGR_OPTION_CLASSES);
    run->images = bench_random_floats(run->batch * integer(run->config, TGR_OPTION_CHANNELS) * size * size, 1);
    run->labels = bench_allocate(run->batch, sizeof *run->labels);
    run->ids = bench_allocate(run->batch, sizeof *run->ids);
    for (int64_t i = 0; i < run->batch; i++) {
        run->labels[i] = (int32_t)(i % classes);
        run->ids[i] = i;
    }
}

void model_run_create(model_run *run, const char *settings, const char *more, int64_t batch, int threads) {
    const tgr_context_options options = {.struct_size = sizeof options, .threads = threads, .seed = 1};
    *run = (model_run){.batch = batch};
    BENCH_TRY(tgr_context_create(&run->context, &options));
    BENCH_TRY(tgr_config_create(&run->config, run->context));
    bench_configure(run->config, settings);
    bench_configure(run->config, more);
    BENCH_TRY(tgr_model_create(&run->model, run->context, run->config));
    make_up_images(run);
    run->flops = count_flops(run);
}

void model_run_add_teacher(model_run *run, const char *teacher_settings) {
    tgr_config *config;
    BENCH_TRY(tgr_config_create(&config, run->context));
    bench_configure(config, teacher_settings);
    BENCH_TRY(tgr_model_create(&run->backbone, run->context, config));
    BENCH_TRY(tgr_teacher_create(&run->teacher, run->backbone, run->model));
    tgr_config_free(config);
}

/* Loss and optimizer come with the first step, so that a run that only infers has none. */
static void prepare_training(model_run *run) {
    BENCH_TRY(tgr_loss_create(&run->loss, run->model, run->teacher));
    tgr_parameters *parameters = tgr_model_parameters(run->model);
    BENCH_TRY(tgr_optimizer_create(&run->optimizer, run->config, parameters));
}

static void count_step(model_run *run) {
    if (run->steps++ == 0) run->first_allocations = tgr_context_allocation_count(run->context);
}

void model_run_train(void *what) {
    model_run *run = what;
    if (run->loss == NULL) prepare_training(run);
    BENCH_TRY(tgr_model_forward(run->model, TGR_TRAIN, run->images, run->batch));
    if (run->teacher) BENCH_TRY(tgr_teacher_forward_cached(run->teacher, TGR_TRAIN, run->images, run->ids, run->batch));
    BENCH_TRY(tgr_loss_compute(run->loss, run->labels, NULL));
    BENCH_TRY(tgr_loss_backward(run->loss));
    BENCH_TRY(tgr_optimizer_step(run->optimizer));
    if (run->teacher) BENCH_TRY(tgr_teacher_step(run->teacher));
    count_step(run);
}

void model_run_infer(void *what) {
    model_run *run = what;
    BENCH_TRY(tgr_model_forward(run->model, TGR_EVAL, run->images, run->batch));
    count_step(run);
}

uint64_t model_run_bytes_peak(const model_run *run) {
    uint64_t peak = tgr_context_peak_bytes(run->context);
    return peak;
}

double model_run_allocations(const model_run *run) {
    uint64_t count = tgr_context_allocation_count(run->context);
    return (double)(count - run->first_allocations) / (double)(run->steps > 1 ? run->steps - 1 : 1);
}

const char *model_run_kernels(const model_run *run) {
    const char *name = tgr_context_kernels(run->context);
    return name;
}

void model_run_free(model_run *run) {
    free(run->images);
    free(run->labels);
    free(run->ids);
    tgr_optimizer_free(run->optimizer);
    tgr_loss_free(run->loss);
    tgr_teacher_free(run->teacher);
    tgr_model_free(run->backbone);
    tgr_model_free(run->model);
    tgr_config_free(run->config);
    tgr_context_free(run->context);
}

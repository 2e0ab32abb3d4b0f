/* SPDX-License-Identifier: MIT */
/* A model on made-up images, whose training steps and forward passes are timed. */
#ifndef TGR_BENCH_MODEL_RUN_H
#define TGR_BENCH_MODEL_RUN_H

#include "tgrmoe/tgrmoe.h"

/* A model that benchmarks know by name. */
typedef struct model_case {
    const char *name;
    const char *settings; /* "key=value key=value" */
    int64_t batch;
} model_case;

/* F: Fashion-MNIST's size; T: DeiT-Tiny; S: DeiT-Small; and what they are without experts. The last has no name. */
extern const model_case model_cases[];

typedef struct model_run {
    tgr_context *context;
    tgr_config *config;
    tgr_model *model, *backbone;
    tgr_teacher *teacher; /* NULL without */
    tgr_loss *loss;
    tgr_optimizer *optimizer;
    int64_t batch;
    float *images;   /* [batch, channels, size, size] */
    int32_t *labels; /* [batch] */
    int64_t *ids;    /* [batch] */
    double flops;    /* of a forward pass; a training step has three times as many */
    uint64_t steps, first_allocations;
} model_run;

/* `settings` and then `more`, as in a case. */
void model_run_create(model_run *run, const char *settings, const char *more, int64_t batch, int threads);
/* Gives it a dense teacher of the same sizes, with cached features. */
void model_run_add_teacher(model_run *run, const char *teacher_settings);
void model_run_free(model_run *run);

/* For bench_side; `what` is the run. */
void model_run_train(void *what);
void model_run_infer(void *what);

uint64_t model_run_bytes_peak(const model_run *run);
/* Allocations of each step after the first. */
double model_run_allocations(const model_run *run);
const char *model_run_kernels(const model_run *run);

#endif

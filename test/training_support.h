/* SPDX-License-Identifier: MIT */
/* A small training run of any routing method, and a list of methods with options. */
#ifndef TGR_TEST_TRAINING_SUPPORT_H
#define TGR_TEST_TRAINING_SUPPORT_H

#include <stdio.h>

#include "base/options.h"
#include "model_support.h"
#include "routing/method.h"
#include "tgrmoe/checkpoint.h"
#include "tgrmoe/loss.h"
#include "tgrmoe/optimizer.h"

enum { BATCH = 3, PIXELS = 8 * 8, CLASSES = 5, MICRO = 2 };

#define SIZES "image_size=8 patch_size=4 channels=1 classes=5 embed_dim=16 depth=2 heads=2 lr=0.01 total_steps=8 "

typedef struct training {
    tgr_context *context;
    tgr_model *model;
    tgr_loss *loss;
    tgr_optimizer *optimizer;
    tgr_checkpoint *checkpoint;
} training;

static inline tgr_status training_start(training *t, tgr_context *context, const char *method, const char *more) {
    char options[512];
    *t = (training){.context = context};
    snprintf(options, sizeof options, SIZES "method=%s moe_blocks=1,2 experts=4 %s", method, more);
    TGR_TRY(test_model_create(&t->model, context, options));
    test_model_enliven(t->model, 3);
    TGR_TRY(tgr_loss_create(&t->loss, t->model, NULL));
    TGR_TRY(tgr_optimizer_create(&t->optimizer, tgr_model_config(t->model), tgr_model_parameters(t->model)));
    TGR_TRY(tgr_checkpoint_create(&t->checkpoint, context));
    TGR_TRY(tgr_checkpoint_add_model(t->checkpoint, "model", t->model));
    return tgr_checkpoint_add_optimizer(t->checkpoint, "optimizer", t->optimizer);
}

static inline void training_end(training *t) {
    tgr_checkpoint_free(t->checkpoint);
    tgr_optimizer_free(t->optimizer);
    tgr_loss_free(t->loss);
    tgr_model_free(t->model);
    tgr_context_free(t->context);
}

/* The micro-batch at `position`, and the step that it completes. */
static inline tgr_status train(training *t, int64_t position) {
    test_random random = test_random_start((uint64_t)(100 + position));
    float images[BATCH * PIXELS];
    int32_t labels[BATCH];
    double loss;
    test_random_fill(&random, images, BATCH * PIXELS, -1, 1);
    FOR(i, BATCH) labels[i] = (int32_t)test_random_integer(&random, 0, CLASSES - 1);
    TGR_TRY(tgr_model_forward(t->model, TGR_TRAIN, images, BATCH));
    TGR_TRY(tgr_loss_compute(t->loss, labels, &loss));
    TGR_TRY(tgr_loss_backward(t->loss));
    return position % MICRO == MICRO - 1 ? tgr_optimizer_step(t->optimizer) : TGR_OK;
}

/* Whether this machine has products of bfloat16 operands, on which the methods' options may be tried, too. */
static inline int bfloat16_is_there(void) {
    tgr_context *context = test_context(1, 7);
    tgr_model *model = NULL;
    const int there = test_model_create(&model, context, SIZES "precision=bfloat16") == TGR_OK;
    tgr_model_free(model);
    tgr_context_free(context);
    return there;
}

/* fn(name of a method that is there, options on top) */
static inline void each_method(void (*fn)(const char *method, const char *more)) {
    FOR(i, tgr_method_count())
        if (tgr_method_of((int)i) != NULL) fn(tgr_method_name(i), "");
    fn("tgr", "shared_experts=2 top_k=2 capacity_factor=0.7");
    fn("default", "top_k=2 default_weighted=0 default_beta=0.5");
    fn("loss-free", "top_k=2 capacity_factor=1 bias_rate=0.3");
    fn("dense-train", "top_k=2 shared_experts=1 mi_weight=0.5");
    fn("evomoe", "top_k=2 evo_threshold=0.25 renormalize=1");
    fn("expert-choice", "capacity_factor=2.5 eval_capacity_factor=0.5 shared_experts=1 z_weight=0.1");
    fn("soft", "soft_slots=3 shared_experts=1");
}

#endif

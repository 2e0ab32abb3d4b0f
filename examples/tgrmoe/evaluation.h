/* SPDX-License-Identifier: MIT */
/* How well a model does on a set of images, and how it routes the first of them (the probe). */
#ifndef TOOL_EVALUATION_H
#define TOOL_EVALUATION_H

#include "batch.h"
#include "tgrmoe/tgrmoe.h"

typedef struct tool_evaluation {
    double top1;                      /* percent */
    int64_t layers, experts, choices; /* MoE layers; choices = probe images * tokens */
    int32_t *routing;                 /* [layers, choices], the first choice of each token */
    int64_t *load;                    /* [layers, experts], tokens that each expert computed on the probe */
    double entropy, dropped, load_cv; /* means over layers */
    int64_t dead;                     /* experts without a token on the probe, all layers together */
} tool_evaluation;

/* Evaluates the first `count` images of `set` and measures routing on the first `probe` of them (at most `count`).
 * `scratch` is overwritten, its capacity is the batch. `teacher` NULL, or the oracle that routes. `logits` NULL, or
 * room for [count, classes]. *out must hold zeros or an earlier evaluation, which is replaced. */
int evaluate(tool_evaluation *out, tgr_model *model, tgr_teacher *teacher, const image_set *set, int64_t count,
             int64_t probe, tool_batch *scratch, float *logits);
void evaluation_free(tool_evaluation *evaluation);

#endif

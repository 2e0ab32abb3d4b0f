/* SPDX-License-Identifier: MIT */
/* What the teacher, the loss and the checkpoint may do with a model beyond its public functions. */
#ifndef TGR_MODEL_MODEL_H
#define TGR_MODEL_MODEL_H

#include "base/config.h"
#include "base/parameters.h"
#include "routing/moe_layer.h"
#include "tgrmoe/model.h"

/* Sizes of a model, worked out from its config once. */
typedef struct tgr_dimensions {
    int64_t image_size, channels, patch_size, classes;
    int64_t grid;          /* patches along a side */
    int64_t patches;       /* grid² */
    int64_t prefix_tokens; /* CLS and, if there is one, the distillation token */
    int64_t tokens;        /* prefix_tokens + patches */
    int64_t patch_dim;     /* channels · patch_size² */
    int64_t dim, depth, heads, head_dim, hidden;
} tgr_dimensions;

/* The model as a plan: tensors declared, no weights, no activations (for counting, before memory is taken). */
tgr_status tgr_model_assemble(tgr_model **out, tgr_context *context, const tgr_config *config);
/* A twin of `model`: a second model on the same tensors, with activations of its own from `context`. Its passes, in
 * TGR_EVAL only, write nothing that is the first one's, so any number of twins may run at once. */
tgr_status tgr_model_twin(tgr_model **out, tgr_model *model, tgr_context *context);
tgr_status tgr_model_run_twin(tgr_model *twin, const float *images, int64_t batch);
void tgr_model_retain(tgr_model *model);
tgr_context *tgr_model_context(const tgr_model *model);
const tgr_dimensions *tgr_model_dimensions(const tgr_model *model);
/* Mode of the last forward pass. */
tgr_mode tgr_model_mode(const tgr_model *model);
/* True between a forward in TGR_TRAIN and its backward, while the weights are those of the forward. */
int tgr_model_can_backward(const tgr_model *model);
/* Fails, with the reason, unless that is true. */
tgr_status tgr_model_check_backward(const tgr_model *model);
/* How many forward passes there have been: tells them apart. */
uint64_t tgr_model_passes(const tgr_model *model);
/* To be called after writing weights: discards gradients summed so far; the last forward pass no longer counts. */
void tgr_model_forget(tgr_model *model);
/* MoE layer `index`, below tgr_model_moe_layer_count(). */
tgr_moe_layer *tgr_model_layer(tgr_model *model, int64_t index);
/* Copies feature `feature` of block `block` (from 0) of every following forward pass to `destination` [batch, tokens,
 * dim]; NULL ends it. Forward passes are the same bit for bit with and without. */
void tgr_model_capture(tgr_model *model, int64_t block, tgr_feature feature, float *destination);

#endif

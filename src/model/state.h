/* SPDX-License-Identifier: MIT */
/* The inside of a model, for the files of this folder. */
#ifndef TGR_MODEL_STATE_H
#define TGR_MODEL_STATE_H

#include <stdatomic.h>

#include "model/block.h"
#include "model/embed.h"
#include "model/head.h"
#include "model/pass.h"

struct tgr_model {
    atomic_int references;
    tgr_context *context;       /* retained */
    tgr_config *config;         /* a copy */
    tgr_parameters *parameters; /* retained */
    tgr_dimensions dimensions;

    tgr_embed embed;
    tgr_block *blocks; /* [depth] */
    tgr_head head;
    int64_t moe_count;
    int64_t *moe_blocks; /* [moe_count], from 0 */

    void *memory; /* the activations' arena */
    int64_t memory_bytes;
    tgr_pass pass; /* the one that the arena is cut for now; batch 0 before the first */

    /* Of the last forward pass: */
    int64_t batch; /* 0 before the first; other files call tgr_model_batch */
    tgr_mode mode;
    const float *images;
    tgr_values_mark mark; /* of the weights that it used */
    int can_backward;     /* it was in TGR_TRAIN and has not had its backward */
    uint64_t passes;      /* forward passes so far */
};

/* Makes the context's scratch large enough for the model's attention. */
tgr_status tgr_model_reserve(tgr_model *model);
/* Bytes of activations for such a pass. Afterwards no buffer has an address, until tgr_plan_prepare. */
tgr_status tgr_plan_count(tgr_model *model, tgr_mode mode, int64_t batch, int64_t *bytes);
/* Cuts the arena for such a pass, growing it when it is too small. On failure the model is as before. */
tgr_status tgr_plan_prepare(tgr_model *model, tgr_mode mode, int64_t batch);

#endif

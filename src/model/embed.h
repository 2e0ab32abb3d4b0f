/* SPDX-License-Identifier: MIT */
/* The input stage: from what the host gives to the residual stream [batch, tokens, dim]. Here that is images in
 * patches; another kind of input is another file with these functions. */
#ifndef TGR_MODEL_EMBED_H
#define TGR_MODEL_EMBED_H

#include "layers/linear.h"
#include "model/model.h"

typedef struct tgr_embed {
    const tgr_dimensions *dimensions;
    int64_t tokens[2]; /* tensors [1, 1, dim]: CLS and, with two prefix tokens, distillation */
    int64_t positions; /* tensor [1, tokens or patches, dim] */
    int positions_cover_prefix;
    tgr_linear projection; /* weight [dim, channels, patch, patch] */
    float *patches;        /* [batch · patches, patch_dim]: channel, row, column */
    float *embedded;       /* [batch · patches, dim], and its gradient on the way back */
} tgr_embed;

/* Adds cls_token, dist_token, pos_embed, patch_embed.proj.…. `dimensions` are borrowed. */
tgr_status tgr_embed_add(tgr_embed *embed, tgr_parameters *parameters, const tgr_config *config,
                         const tgr_dimensions *dimensions);
void tgr_embed_initialise(const tgr_embed *embed, tgr_parameters *parameters, double deviation);
/* Buffers that are free for others outside of tgr_embed_forward and tgr_embed_backward. */
void tgr_embed_plan(tgr_embed *embed, const tgr_pass *pass, tgr_arena *arena);
/* x [batch, tokens, dim] from images [batch, channels, image_size, image_size]. */
void tgr_embed_forward(const tgr_embed *embed, const tgr_pass *pass, const float *images, float *x);
/* From pass->gradient, that of x. */
void tgr_embed_backward(const tgr_embed *embed, const tgr_pass *pass, const float *images);

#endif

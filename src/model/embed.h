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
    float *patch_rows;     /* [batch · patches, dim]: the projection's output; in backward its gradient */
} tgr_embed;

/* Adds cls_token, dist_token, pos_embed, patch_embed.proj.…. `dimensions` are borrowed. */
tgr_status tgr_embed_declare(tgr_embed *embed, tgr_parameters *parameters, const tgr_config *config,
                             const tgr_dimensions *dimensions);
void tgr_embed_initialise(const tgr_embed *embed, double deviation);
/* Buffers that others may use outside tgr_embed_forward and tgr_embed_backward. */
void tgr_embed_plan(tgr_embed *embed, tgr_arena *arena, int64_t batch);
/* x [batch, tokens, dim] from images [batch, channels, image_size, image_size]; and, unless NULL, the raw patches of
 * each token [batch, tokens, patch_dim], zero for prefix tokens. */
void tgr_embed_forward(const tgr_embed *embed, int64_t batch, const float *images, float *x, float *patches);
/* dx [batch, tokens, dim] is the gradient of x. `partial` holds tgr_partial_floats(batch · patches, dim, 1). */
void tgr_embed_backward(const tgr_embed *embed, int64_t batch, const float *images, const float *dx, float *partial);

#endif

/* SPDX-License-Identifier: MIT */
/**
 * @file model.h
 * A vision transformer (ViT, DeiT, DeiT-III), dense or with experts in chosen blocks.
 *
 * Pre-norm blocks: x += Attn(LN1 x); x += FFN(LN2 x); a MoE block has experts in place of the FFN. Tokens of an image:
 * CLS, then the distillation token if there is one, then the patches row by row. Parameters have timm's names:
 * cls_token, dist_token, pos_embed, patch_embed.proj.{weight,bias}, blocks.N.norm1.{weight,bias}, blocks.N.attn.qkv.…,
 * blocks.N.attn.proj.…, blocks.N.ls1.gamma, blocks.N.norm2.…, blocks.N.mlp.{fc1,fc2}.… or
 * blocks.N.moe.{router.weight, experts.fc1.…, experts.fc2.…, shared.fc1.…, shared.fc2.…}, blocks.N.ls2.gamma, norm.…,
 * head.…, head_dist.….
 */
#ifndef TGRMOE_MODEL_H
#define TGRMOE_MODEL_H

#include "tgrmoe/options.h"
#include "tgrmoe/parameters.h"
#include "tgrmoe/routing.h"

#ifdef __cplusplus
extern "C" {
#endif

/** A model with fresh weights drawn from the context's seed. The config is copied. */
TGR_API tgr_status tgr_model_create(tgr_model **out, tgr_context *context, const tgr_config *config);
TGR_API void tgr_model_free(tgr_model *model);

/** Runs `batch` images, float32 [batch, channels, image_size, image_size], normalised by the host. In TGR_TRAIN the
 *  activations are kept for backward, and `images` must stay until then. Memory is allocated only when `batch` is
 *  larger than ever before, or for the first pass in TGR_TRAIN. @param batch at least 1. */
TGR_API tgr_status tgr_model_forward(tgr_model *model, tgr_mode mode, const float *images, int64_t batch);
/** Adds to the gradients of all parameters, from the gradient of the logits [batch, classes] and of the features
 *  [batch, tokens, dim]; either may be NULL, but not both. Needs a forward in TGR_TRAIN first. A host that uses
 *  tgr_loss calls tgr_loss_backward() instead. */
TGR_API tgr_status tgr_model_backward(tgr_model *model, const float *logits_gradient, const float *features_gradient);

/** How many images the last forward pass had; 0 before the first. */
TGR_API int64_t tgr_model_batch(const tgr_model *model);
/** The logits of the last batch, [batch, classes]; with a distillation token the mean of both heads. Valid until the
 *  next forward pass. ERROR_STATE before the first one, or without a head. */
TGR_API tgr_status tgr_model_logits(const tgr_model *model, const float **logits);
/** The final LayerNorm's output of the last batch, [batch, tokens, dim]. Valid until the next forward pass. ERROR_STATE
 *  before the first one. */
TGR_API tgr_status tgr_model_features(const tgr_model *model, const float **features);
/** How many MoE layers there are. */
TGR_API int64_t tgr_model_moe_layer_count(const tgr_model *model);
/** The block, counted from 1, of MoE layer `index` in [0, tgr_model_moe_layer_count()). */
TGR_API tgr_status tgr_model_moe_block(const tgr_model *model, int64_t index, int64_t *block);
/** What the router of MoE layer `index` decided for the last batch; see tgr_routing_read(). */
TGR_API tgr_status tgr_model_routing(const tgr_model *model, int64_t index, const tgr_routing **routing);

/** The model's tensors, valid as long as the model. */
TGR_API tgr_parameters *tgr_model_parameters(tgr_model *model);
/** The model's options, valid as long as the model. */
TGR_API const tgr_config *tgr_model_config(const tgr_model *model);

/** The sizes of a model, which do not change. */
typedef struct tgr_model_description {
    size_t struct_size;        /**< sizeof(tgr_model_description), set by the caller */
    int64_t channels;          /**< of an image */
    int64_t image_size;        /**< height and width of an image, in pixels */
    int64_t classes;           /**< 0 without a head */
    int64_t tokens;            /**< N, of an image, prefix tokens (CLS, distillation) included */
    int64_t prefix_tokens;     /**< 1, or 2 with a distillation token */
    int64_t dim;               /**< d, the width of a token */
    int64_t depth;             /**< blocks */
    int64_t moe_layers;        /**< blocks with experts */
    int64_t parameters;        /**< trained numbers */
    int64_t active_parameters; /**< trained numbers that one token uses, without the experts it does not go to */
} tgr_model_description;
TGR_API tgr_status tgr_model_describe(const tgr_model *model, tgr_model_description *description);

/** Sparse upcycling (Komatsuzaki et al., ICLR 2023, arXiv 2212.05055): fills `sparse`, a model with experts (usually a
 *  fresh one), from `dense`, one without experts that is otherwise the same. Every expert becomes a copy of its block's
 *  FFN, everything else is copied; router, state and shared experts have no counterpart and stay as they are
 *  (router_init_std), except for the shared experts' second matrix and bias, which become 0 so that they add nothing at
 *  first. With upcycle_noise a, a·σ·Normal(0, 1) is added to each number of an expert's matrices, where σ is the
 *  deviation of the matrix copied; the seed is that of `sparse`. With renormalize=1, as in the paper for vision, and
 *  without noise on the experts, overflow or a method that adds more, the sparse model starts as the same function as
 *  the dense one; with K = 1 the task then gives the router no gradient, but a teacher or a balance loss does.
 *  Gradients summed so far are discarded, and the last forward pass no longer counts; the step count stays, so that the
 *  schedule is that of the new run. ERROR_SHAPE when the models do not match, in tensors or heads. */
TGR_API tgr_status tgr_model_upcycle(tgr_model *sparse, const tgr_model *dense);
/** How many bytes weights, gradients and the activations of one training batch take, without making a model. */
TGR_API tgr_status tgr_model_estimate(tgr_context *context, const tgr_config *config, int64_t batch, uint64_t *bytes);

#ifdef __cplusplus
}
#endif
#endif

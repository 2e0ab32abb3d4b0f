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
 *  activations are kept for backward and `images` must stay until then. Memory is allocated when `batch` is larger
 *  than ever before, or for the first pass in TGR_TRAIN; otherwise nothing is. @param batch at least 1. */
TGR_API tgr_status tgr_model_forward(tgr_model *model, tgr_mode mode, const float *images, int64_t batch);
/** Adds to the gradients of all parameters, from the gradient of the logits [batch, classes] and of the features
 *  [batch, tokens, dim]; either may be NULL, not both. Needs a forward in TGR_TRAIN before. A host that uses
 *  tgr_loss calls tgr_loss_backward() instead. */
TGR_API tgr_status tgr_model_backward(tgr_model *model, const float *logits_gradient, const float *features_gradient);

/** The logits of the last batch, [batch, classes]; with a distillation token the mean of both heads.
 *  ERROR_STATE before the first forward, or without a head. Any output may be NULL. */
TGR_API tgr_status tgr_model_logits(const tgr_model *model, const float **logits, int64_t *batch, int64_t *classes);
/** The final LayerNorm's output of the last batch, [batch, tokens, dim]. Any output may be NULL. */
TGR_API tgr_status tgr_model_features(const tgr_model *model, const float **features, int64_t *batch, int64_t *tokens,
                                      int64_t *dim);
/** How many MoE layers there are; the block, counted from 1, and the routing of layer `index` in [0, count). */
TGR_API tgr_status tgr_model_moe_layers(const tgr_model *model, int64_t *count);
TGR_API tgr_status tgr_model_moe_block(const tgr_model *model, int64_t index, int64_t *block);
TGR_API tgr_status tgr_model_routing(const tgr_model *model, int64_t index, const tgr_routing **routing);

TGR_API tgr_status tgr_model_parameters(tgr_model *model, tgr_parameters **parameters);
TGR_API tgr_status tgr_model_config(const tgr_model *model, const tgr_config **config);
/** Trained numbers in all, and those that one token meets: all but the experts it is not sent to. */
TGR_API tgr_status tgr_model_parameter_counts(const tgr_model *model, int64_t *total, int64_t *active);
/** Sparse upcycling (Komatsuzaki et al., ICLR 2023, arXiv 2212.05055): fills `sparse`, a model with experts, fresh as a
 *  rule, from `dense`, one without that is its like otherwise. Every expert becomes a copy of its block's FFN, all else
 *  is copied; router, state and shared experts have no counterpart and stay as they are (router_init_std), but for the
 *  shared experts' second matrix and bias, which become 0 so that they add nothing at first. With upcycle_noise a, to
 *  each number of an expert's matrices a·σ·Normal(0, 1) is added, σ the deviation of the matrix copied, drawn by the
 *  seed of `sparse`. With renormalize=1, as the paper has it for vision, and without noise on the experts, overflow or
 *  a method that adds more, the sparse model starts as the function that the dense one is; with K = 1 the task has no
 *  gradient for the router then, but a teacher or a balance loss has. Gradients summed so far are thrown away, a
 *  forward pass before does not count; the step stays, so that a schedule is the new run's own.
 *  ERROR_SHAPE when the models do not match, in tensors or heads. */
TGR_API tgr_status tgr_model_upcycle(tgr_model *sparse, const tgr_model *dense);
/** Bytes that weights, gradients and the activations of one training batch take, without making a model. */
TGR_API tgr_status tgr_model_estimate(tgr_context *context, const tgr_config *config, int64_t batch, uint64_t *bytes);

#ifdef __cplusplus
}
#endif
#endif

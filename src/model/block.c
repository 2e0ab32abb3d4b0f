/* SPDX-License-Identifier: MIT */
/* A transformer block (Dosovitskiy et al., ICLR 2021), dense or sparse. The outputs of norms are not kept: backward
 * computes them again. */
#include "model/block.h"

#include <stdio.h>

#include "base/status.h"
#include "model/copy.h"

/* Stochastic depth grows linearly from 0 at the first block to drop_path at the last. */
static double drop_rate_of(const tgr_config *config, int64_t index, int64_t depth) {
    double rate = tgr_option_f64(config, TGR_OPTION_DROP_PATH);
    return depth > 1 ? rate * (double)index / (double)(depth - 1) : 0.0;
}

static tgr_status add_attention_branch(tgr_block *block, tgr_parameters *parameters, const tgr_config *config,
                                       const tgr_dimensions *dimensions, int64_t index) {
    double epsilon = tgr_option_f64(config, TGR_OPTION_NORM_EPSILON);
    double layer_scale = tgr_option_f64(config, TGR_OPTION_LAYER_SCALE);
    int64_t dim = dimensions->dim;
    char name[TGR_NAME_BYTES];
    snprintf(name, sizeof name, "blocks.%lld.norm1", (long long)index);
    TGR_TRY(tgr_norm_add(&block->norm1, parameters, name, dim, epsilon));
    snprintf(name, sizeof name, "blocks.%lld.attn", (long long)index);
    TGR_TRY(tgr_self_attention_add(&block->attention, parameters, name, dim, dimensions->heads));
    snprintf(name, sizeof name, "blocks.%lld.ls1", (long long)index);
    return tgr_residual_add(&block->attention_residual, parameters, name, dim, layer_scale, (uint32_t)(2 * index),
                            drop_rate_of(config, index, dimensions->depth));
}

static tgr_status add_ffn_branch(tgr_block *block, tgr_parameters *parameters, const tgr_config *config,
                                 const tgr_dimensions *dimensions, int64_t index, int with_experts) {
    double epsilon = tgr_option_f64(config, TGR_OPTION_NORM_EPSILON);
    double layer_scale = tgr_option_f64(config, TGR_OPTION_LAYER_SCALE);
    int64_t dim = dimensions->dim;
    char name[TGR_NAME_BYTES];
    snprintf(name, sizeof name, "blocks.%lld.norm2", (long long)index);
    TGR_TRY(tgr_norm_add(&block->norm2, parameters, name, dim, epsilon));
    if (with_experts) {
        snprintf(name, sizeof name, "blocks.%lld.moe.", (long long)index);
        const tgr_layer_shape shape = {.dim = dim,
                                       .sequence = dimensions->tokens,
                                       .prefix_tokens = dimensions->prefix_tokens,
                                       .patch_dim = dimensions->patch_dim};
        TGR_TRY(tgr_moe_layer_create(&block->moe, parameters->context, config, parameters, name, &shape,
                                     (uint32_t)index, 1));
    } else {
        snprintf(name, sizeof name, "blocks.%lld.mlp", (long long)index);
        TGR_TRY(tgr_ffn_add(&block->ffn, parameters, name, dim, dimensions->hidden));
    }
    snprintf(name, sizeof name, "blocks.%lld.ls2", (long long)index);
    return tgr_residual_add(&block->ffn_residual, parameters, name, dim, layer_scale, (uint32_t)(2 * index + 1),
                            drop_rate_of(config, index, dimensions->depth));
}

tgr_status tgr_block_add(tgr_block *block, tgr_parameters *parameters, const tgr_config *config,
                         const tgr_dimensions *dimensions, int64_t index, int with_experts) {
    TGR_TRY(add_attention_branch(block, parameters, config, dimensions, index));
    return add_ffn_branch(block, parameters, config, dimensions, index, with_experts);
}

void tgr_block_free(tgr_block *block) {
    tgr_moe_layer_free(block->moe);
    block->moe = NULL;
}

void tgr_block_initialise(tgr_block *block, tgr_parameters *parameters, const tgr_config *config) {
    double deviation = tgr_option_f64(config, TGR_OPTION_INIT_STD);
    double layer_scale = tgr_option_f64(config, TGR_OPTION_LAYER_SCALE);
    tgr_norm_initialise(&block->norm1, parameters);
    tgr_self_attention_initialise(&block->attention, parameters, deviation);
    tgr_residual_initialise(&block->attention_residual, parameters, layer_scale);
    tgr_norm_initialise(&block->norm2, parameters);
    if (block->moe != NULL)
        tgr_moe_layer_initialise(block->moe);
    else
        tgr_ffn_initialise(&block->ffn, parameters, deviation);
    tgr_residual_initialise(&block->ffn_residual, parameters, layer_scale);
}

void tgr_block_plan(tgr_block *block, const tgr_pass *pass, tgr_arena *arena) {
    block->middle = pass->mode == TGR_TRAIN ? tgr_arena_floats(arena, pass->rows, pass->dim) : block->x;
    tgr_norm_plan(&block->norm1, pass, arena);
    tgr_self_attention_plan(&block->attention, pass, arena);
    tgr_residual_plan(&block->attention_residual, pass, arena);
    tgr_norm_plan(&block->norm2, pass, arena);
    tgr_residual_plan(&block->ffn_residual, pass, arena);
}

void tgr_block_plan_ffn(tgr_block *block, const tgr_pass *pass, tgr_arena *arena) {
    if (block->moe != NULL)
        tgr_moe_layer_plan_kept(block->moe, pass->mode, arena, pass->rows);
    else
        tgr_ffn_plan(&block->ffn, pass, arena);
}

void tgr_block_plan_work(tgr_block *block, const tgr_pass *pass, tgr_arena *arena) {
    if (block->moe != NULL) tgr_moe_layer_plan_work(block->moe, pass->mode, arena, pass->rows);
}

static void capture(const tgr_block *block, const tgr_pass *pass, tgr_feature feature, const float *from) {
    if (block->capture[feature] != NULL) tgr_copy(pass->compute, pass->rows * pass->dim, from, block->capture[feature]);
}

/* From x to middle. */
static void attention_forward(const tgr_block *block, const tgr_pass *pass) {
    tgr_norm_forward(&block->norm1, pass, block->x, pass->normalised);
    tgr_self_attention_forward(&block->attention, pass, pass->normalised,
                               tgr_residual_branch(&block->attention_residual, pass, block->x, block->middle));
    tgr_residual_forward(&block->attention_residual, pass, block->x, block->middle);
}

/* After norm2. */
static tgr_layer_input moe_input(const tgr_pass *pass) {
    return (tgr_layer_input){.x = pass->normalised, .patches = pass->patches};
}

void tgr_block_forward(const tgr_block *block, const tgr_pass *pass) {
    attention_forward(block, pass);
    float *branch = tgr_residual_branch(&block->ffn_residual, pass, block->middle, block->y);
    const tgr_layer_input input = moe_input(pass);
    tgr_norm_forward(&block->norm2, pass, block->middle, pass->normalised);
    capture(block, pass, TGR_FEATURE_FFN_INPUT, pass->normalised);
    if (block->moe != NULL)
        tgr_moe_layer_forward(block->moe, pass->mode, pass->rows, &input, branch);
    else
        tgr_ffn_forward(&block->ffn, pass, pass->normalised, branch);
    tgr_residual_forward(&block->ffn_residual, pass, block->middle, block->y);
    capture(block, pass, TGR_FEATURE_BLOCK_OUTPUT, block->y);
}

/* y is not made again: backward has no use for it. */
void tgr_block_again(const tgr_block *block, const tgr_pass *pass) {
    float *kept_branch = block->ffn_residual.kept_branch;
    const tgr_layer_input input = moe_input(pass);
    if (pass->recompute == TGR_RECOMPUTE_BLOCKS) {
        attention_forward(block, pass);
        tgr_residual_again(&block->ffn_residual, pass);
    }
    tgr_norm_forward(&block->norm2, pass, block->middle, pass->normalised);
    if (block->moe != NULL)
        tgr_moe_layer_recompute(block->moe, &input, kept_branch != NULL ? kept_branch : pass->branch);
    else
        tgr_ffn_again(&block->ffn, pass, pass->normalised, kept_branch);
}

void tgr_block_backward(const tgr_block *block, const tgr_pass *pass) {
    const float *dbranch = tgr_residual_backward(&block->ffn_residual, pass);
    const tgr_layer_input input = moe_input(pass);
    tgr_norm_forward(&block->norm2, pass, block->middle, pass->normalised);
    if (block->moe != NULL)
        tgr_moe_layer_backward(block->moe, &input, dbranch, pass->input_gradient);
    else
        tgr_ffn_backward(&block->ffn, pass, pass->normalised, dbranch, pass->input_gradient);
    tgr_norm_backward(&block->norm2, pass, block->middle, pass->input_gradient, pass->gradient, 1);

    dbranch = tgr_residual_backward(&block->attention_residual, pass);
    tgr_norm_forward(&block->norm1, pass, block->x, pass->normalised);
    tgr_self_attention_backward(&block->attention, pass, pass->normalised, dbranch, pass->input_gradient);
    tgr_norm_backward(&block->norm1, pass, block->x, pass->input_gradient, pass->gradient, 1);
}

/* SPDX-License-Identifier: MIT */
/* A transformer block (Dosovitskiy et al., ICLR 2021), dense or sparse. The outputs of norms are not kept: backward
 * recomputes them. */
#include "model/block.h"

#include <stdio.h>

#include "base/status.h"
#include "kernels/copy.h"

/* Stochastic depth grows linearly from 0 at the first block to drop_path at the last. */
static double drop_rate_of(const tgr_config *config, int64_t index, int64_t depth) {
    double rate = tgr_option_f64(config, TGR_OPTION_DROP_PATH);
    return depth > 1 ? rate * (double)index / (double)(depth - 1) : 0.0;
}

static tgr_precision precision_of(const tgr_config *config) {
    return (tgr_precision)tgr_option_i64(config, TGR_OPTION_PRECISION);
}

static tgr_status declare_residual(tgr_residual *residual, tgr_parameters *parameters, const tgr_config *config,
                                   const tgr_dimensions *dimensions, int64_t index, int branch) {
    char name[TGR_NAME_BYTES];
    *residual = (tgr_residual){.tokens = dimensions->tokens,
                               .dim = dimensions->dim,
                               .number = (uint32_t)(2 * index + branch),
                               .drop_rate = drop_rate_of(config, index, dimensions->depth)};
    snprintf(name, sizeof name, "blocks.%lld.ls%d", (long long)index, branch + 1);
    return tgr_residual_declare(residual, parameters, name, tgr_option_f64(config, TGR_OPTION_LAYER_SCALE));
}

static tgr_status declare_attention_branch(tgr_block *block, tgr_parameters *parameters, const tgr_config *config,
                                           const tgr_dimensions *dimensions, int64_t index) {
    double epsilon = tgr_option_f64(config, TGR_OPTION_NORM_EPSILON);
    int64_t dim = dimensions->dim;
    char name[TGR_NAME_BYTES];
    snprintf(name, sizeof name, "blocks.%lld.norm1", (long long)index);
    TGR_TRY(tgr_norm_declare(&block->norm1, parameters, name, dim, epsilon));
    snprintf(name, sizeof name, "blocks.%lld.attn", (long long)index);
    TGR_TRY(tgr_self_attention_declare(&block->attention, parameters, name, dimensions->tokens, dim, dimensions->heads,
                                       precision_of(config)));
    return declare_residual(&block->attention_residual, parameters, config, dimensions, index, 0);
}

static tgr_status declare_ffn_branch(tgr_block *block, tgr_parameters *parameters, const tgr_config *config,
                                     const tgr_dimensions *dimensions, int64_t index, int with_experts) {
    double epsilon = tgr_option_f64(config, TGR_OPTION_NORM_EPSILON);
    int64_t dim = dimensions->dim;
    char name[TGR_NAME_BYTES];
    snprintf(name, sizeof name, "blocks.%lld.norm2", (long long)index);
    TGR_TRY(tgr_norm_declare(&block->norm2, parameters, name, dim, epsilon));
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
        TGR_TRY(tgr_ffn_declare(&block->ffn, parameters, name, 0, dim, dimensions->hidden, precision_of(config)));
    }
    return declare_residual(&block->ffn_residual, parameters, config, dimensions, index, 1);
}

tgr_status tgr_block_declare(tgr_block *block, tgr_parameters *parameters, const tgr_config *config,
                             const tgr_dimensions *dimensions, int64_t index, int with_experts) {
    TGR_TRY(declare_attention_branch(block, parameters, config, dimensions, index));
    return declare_ffn_branch(block, parameters, config, dimensions, index, with_experts);
}

void tgr_block_free(tgr_block *block) {
    tgr_moe_layer_free(block->moe);
    block->moe = NULL;
}

void tgr_block_initialise(tgr_block *block, const tgr_config *config) {
    double deviation = tgr_option_f64(config, TGR_OPTION_INIT_STD);
    double layer_scale = tgr_option_f64(config, TGR_OPTION_LAYER_SCALE);
    tgr_norm_initialise(&block->norm1);
    tgr_self_attention_initialise(&block->attention, deviation);
    tgr_residual_initialise(&block->attention_residual, layer_scale);
    tgr_norm_initialise(&block->norm2);
    if (block->moe != NULL)
        tgr_moe_layer_initialise(block->moe);
    else
        tgr_ffn_initialise(&block->ffn, deviation);
    tgr_residual_initialise(&block->ffn_residual, layer_scale);
}

void tgr_block_plan_attention(tgr_block *block, const tgr_pass *pass, tgr_arena *arena) {
    int64_t dim = block->norm1.dim;
    block->middle = pass->mode == TGR_TRAIN ? tgr_arena_floats(arena, pass->rows, dim) : block->x;
    tgr_norm_plan_kept(&block->norm1, arena, pass->rows);
    tgr_self_attention_plan_kept(&block->attention, arena, pass->rows);
    tgr_residual_plan_kept(&block->attention_residual, pass->mode, arena, pass->rows);
    tgr_norm_plan_kept(&block->norm2, arena, pass->rows);
    tgr_residual_plan_kept(&block->ffn_residual, pass->mode, arena, pass->rows);
}

void tgr_block_plan_ffn(tgr_block *block, const tgr_pass *pass, tgr_arena *arena) {
    if (block->moe != NULL)
        tgr_moe_layer_plan_kept(block->moe, pass->mode, arena, pass->rows);
    else
        tgr_ffn_plan_kept(&block->ffn, arena, pass->rows);
}

void tgr_block_plan_attention_work(tgr_block *block, const tgr_pass *pass, tgr_arena *arena) {
    tgr_self_attention_plan_work(&block->attention, pass->mode, arena, pass->rows);
}

void tgr_block_plan_ffn_work(tgr_block *block, const tgr_pass *pass, tgr_arena *arena) {
    if (block->moe != NULL)
        tgr_moe_layer_plan_work(block->moe, pass->mode, arena, pass->rows);
    else
        tgr_ffn_plan_work(&block->ffn, pass->mode, arena, pass->rows);
}

static void capture(const tgr_block *block, const tgr_pass *pass, tgr_feature feature, const float *from) {
    const tgr_compute *compute = tgr_parameters_compute(block->norm1.parameters);
    if (block->capture[feature] != NULL)
        tgr_copy(compute, pass->rows * block->norm1.dim, from, block->capture[feature]);
}

/* From x to middle. */
static void attention_forward(const tgr_block *block, const tgr_pass *pass) {
    float *branch = tgr_residual_branch(&block->attention_residual, block->x, block->middle, pass->branch_rows);
    tgr_norm_forward(&block->norm1, pass->rows, block->x, pass->normalised);
    tgr_self_attention_forward(&block->attention, pass->batch, pass->normalised, branch);
    tgr_residual_forward(&block->attention_residual, pass->batch, pass->micro, branch, block->x, block->middle);
}

/* After norm2. */
static tgr_layer_input moe_input(const tgr_pass *pass) {
    return (tgr_layer_input){.x = pass->normalised, .patches = pass->patches};
}

void tgr_block_forward(const tgr_block *block, const tgr_pass *pass) {
    attention_forward(block, pass);
    float *branch = tgr_residual_branch(&block->ffn_residual, block->middle, block->y, pass->branch_rows);
    const tgr_layer_input input = moe_input(pass);
    tgr_norm_forward(&block->norm2, pass->rows, block->middle, pass->normalised);
    capture(block, pass, TGR_FEATURE_FFN_INPUT, pass->normalised);
    if (block->moe != NULL)
        tgr_moe_layer_forward(block->moe, pass->mode, pass->rows, &input, branch);
    else
        tgr_ffn_forward(&block->ffn, TGR_ALL_ROWS(pass->rows), pass->normalised, branch, 0);
    tgr_residual_forward(&block->ffn_residual, pass->batch, pass->micro, branch, block->middle, block->y);
    capture(block, pass, TGR_FEATURE_BLOCK_OUTPUT, block->y);
}

/* y is not recomputed: backward does not need it. Nor does it need the branch, unless LayerScale keeps that. */
void tgr_block_recompute(const tgr_block *block, const tgr_pass *pass) {
    float *kept_branch = block->ffn_residual.kept_branch;
    const tgr_layer_input input = moe_input(pass);
    if (pass->recompute == TGR_RECOMPUTE_BLOCKS) {
        attention_forward(block, pass);
        tgr_residual_recompute(&block->ffn_residual, pass->batch, pass->micro);
    }
    tgr_norm_forward(&block->norm2, pass->rows, block->middle, pass->normalised);
    if (block->moe != NULL)
        tgr_moe_layer_recompute(block->moe, &input, kept_branch != NULL ? kept_branch : pass->branch_rows);
    else if (kept_branch != NULL)
        tgr_ffn_forward(&block->ffn, TGR_ALL_ROWS(pass->rows), pass->normalised, kept_branch, 0);
    else
        tgr_ffn_recompute(&block->ffn, TGR_ALL_ROWS(pass->rows), pass->normalised);
}

static void ffn_backward(const tgr_block *block, const tgr_pass *pass, float *dstream) {
    const float *dbranch =
        tgr_residual_backward(&block->ffn_residual, pass->batch, dstream, pass->branch_rows, pass->partial);
    const tgr_layer_input input = moe_input(pass);
    tgr_norm_forward(&block->norm2, pass->rows, block->middle, pass->normalised);
    if (block->moe != NULL)
        tgr_moe_layer_backward(block->moe, &input, dbranch, pass->dnormalised);
    else
        tgr_ffn_backward(&block->ffn, TGR_ALL_ROWS(pass->rows), pass->normalised, dbranch, pass->dnormalised, 0,
                         pass->partial);
    tgr_norm_backward(&block->norm2, pass->rows, block->middle, pass->dnormalised, dstream, 1, pass->partial);
}

static void attention_backward(const tgr_block *block, const tgr_pass *pass, float *dstream) {
    const float *dbranch =
        tgr_residual_backward(&block->attention_residual, pass->batch, dstream, pass->branch_rows, pass->partial);
    tgr_norm_forward(&block->norm1, pass->rows, block->x, pass->normalised);
    tgr_self_attention_backward(&block->attention, pass->batch, pass->normalised, dbranch, pass->dnormalised,
                                pass->partial);
    tgr_norm_backward(&block->norm1, pass->rows, block->x, pass->dnormalised, dstream, 1, pass->partial);
}

void tgr_block_backward(const tgr_block *block, const tgr_pass *pass, float *dstream) {
    ffn_backward(block, pass, dstream);
    attention_backward(block, pass, dstream);
}

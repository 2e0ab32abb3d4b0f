/* SPDX-License-Identifier: MIT */
/* Patch embedding: a convolution of stride = patch size as a product with gathered patches; then prefix tokens and
 * positions. */
#include "model/embed.h"

#include <string.h>

#include "base/initialise.h"
#include "base/status.h"
#include "kernels/kernels.h"

#define TOKEN_DEVIATION 1e-6

tgr_status tgr_embed_declare(tgr_embed *embed, tgr_parameters *parameters, const tgr_config *config,
                             const tgr_dimensions *dimensions) {
    const tgr_dimensions *d = dimensions;
    embed->dimensions = d;
    embed->positions_cover_prefix = tgr_option_i64(config, TGR_OPTION_POSITION_CLS) != 0;
    int64_t token_dims[] = {1, 1, d->dim};
    TGR_TRY(tgr_parameters_add(parameters, &embed->tokens[0], "cls_token", TGR_TENSOR_NO_DECAY, 3, token_dims));
    if (d->prefix_tokens > 1)
        TGR_TRY(tgr_parameters_add(parameters, &embed->tokens[1], "dist_token", TGR_TENSOR_NO_DECAY, 3, token_dims));
    int64_t position_dims[] = {1, embed->positions_cover_prefix ? d->tokens : d->patches, d->dim};
    TGR_TRY(tgr_parameters_add(parameters, &embed->positions, "pos_embed", TGR_TENSOR_NO_DECAY, 3, position_dims));

    int64_t weight, bias, weight_dims[] = {d->dim, d->channels, d->patch_size, d->patch_size};
    TGR_TRY(tgr_parameters_add(parameters, &weight, "patch_embed.proj.weight", 0, 4, weight_dims));
    TGR_TRY(tgr_parameters_add(parameters, &bias, "patch_embed.proj.bias", TGR_TENSOR_NO_DECAY, 1, &d->dim));
    embed->projection = tgr_linear_of(parameters, d->patch_dim, d->dim, weight, bias);
    embed->projection.precision = (tgr_precision)tgr_option_i64(config, TGR_OPTION_PRECISION);
    return TGR_OK;
}

void tgr_embed_initialise(const tgr_embed *embed, double deviation) {
    tgr_parameters *parameters = embed->projection.parameters;
    for (int64_t i = 0; i < embed->dimensions->prefix_tokens; i++)
        tgr_initialise_normal(parameters, embed->tokens[i], TOKEN_DEVIATION);
    tgr_initialise_truncated(parameters, embed->positions, deviation);
    tgr_linear_initialise(&embed->projection, deviation);
}

void tgr_embed_plan(tgr_embed *embed, tgr_arena *arena, int64_t batch) {
    /* Fits wherever batch · tokens does. */
    int64_t rows = batch * embed->dimensions->patches;
    embed->patches = tgr_arena_floats(arena, rows, embed->dimensions->patch_dim);
    embed->patch_rows = tgr_arena_floats(arena, rows, embed->dimensions->dim);
}

typedef struct embed_job {
    const tgr_embed *embed;
    const tgr_kernels *kernels;
    int64_t batch;
    const float *images;  /* [batch, channels, image_size, image_size] */
    float *x;             /* [batch, tokens, dim] */
    float *token_patches; /* [batch, tokens, patch_dim] */
    const float *dx;      /* [batch, tokens, dim] */
} embed_job;

/* Cuts one row of patches out of one image. */
static void gather_task(void *data, int64_t task, int worker) {
    const embed_job *job = data;
    const tgr_dimensions *d = job->embed->dimensions;
    int64_t side = d->patch_size, image = task / d->grid, grid_row = task % d->grid;
    float *to = job->embed->patches + task * d->grid * d->patch_dim;
    (void)worker;
    for (int64_t grid_column = 0; grid_column < d->grid; grid_column++)
        for (int64_t channel = 0; channel < d->channels; channel++)
            for (int64_t row = 0; row < side; row++, to += side) {
                int64_t pixel_row = (image * d->channels + channel) * d->image_size + grid_row * side + row;
                const float *from = job->images + pixel_row * d->image_size + grid_column * side;
                memcpy(to, from, (size_t)side * sizeof(float));
            }
}

/* The first token that gets a position. */
static int64_t first_positioned(const tgr_embed *embed) {
    return embed->positions_cover_prefix ? 0 : embed->dimensions->prefix_tokens;
}

/* Puts the tokens of one image together: prefix and patches, each with its position. */
static void assemble_task(void *data, int64_t image, int worker) {
    const embed_job *job = data;
    const tgr_embed *embed = job->embed;
    const tgr_dimensions *d = embed->dimensions;
    const tgr_parameters *parameters = embed->projection.parameters;
    float *x = job->x + image * d->tokens * d->dim;
    (void)worker;
    for (int64_t i = 0; i < d->prefix_tokens; i++)
        memcpy(x + i * d->dim, tgr_value(parameters, embed->tokens[i]), (size_t)d->dim * sizeof(float));
    memcpy(x + d->prefix_tokens * d->dim, embed->patch_rows + image * d->patches * d->dim,
           (size_t)(d->patches * d->dim) * sizeof(float));
    int64_t first = first_positioned(embed);
    job->kernels->add((d->tokens - first) * d->dim, tgr_value(parameters, embed->positions), x + first * d->dim);
}

/* The raw patches of one image as MoE layers read them: a row for each token. */
static void copy_patches_task(void *data, int64_t image, int worker) {
    const embed_job *job = data;
    const tgr_dimensions *d = job->embed->dimensions;
    float *to = job->token_patches + image * d->tokens * d->patch_dim;
    size_t prefix = (size_t)(d->prefix_tokens * d->patch_dim), patches = (size_t)(d->patches * d->patch_dim);
    (void)worker;
    memset(to, 0, prefix * sizeof(float));
    memcpy(to + prefix, job->embed->patches + image * d->patches * d->patch_dim, patches * sizeof(float));
}

void tgr_embed_forward(const tgr_embed *embed, int64_t batch, const float *images, float *x, float *patches) {
    const tgr_dimensions *d = embed->dimensions;
    const tgr_compute *compute = tgr_parameters_compute(embed->projection.parameters);
    embed_job job = {.embed = embed, .kernels = compute->kernels, .images = images, .x = x, .token_patches = patches};
    tgr_parallel(compute, batch * d->grid, gather_task, &job);
    tgr_linear_forward(&embed->projection, batch * d->patches, embed->patches, embed->patch_rows, 0);
    tgr_parallel(compute, batch, assemble_task, &job);
    if (patches != NULL) tgr_parallel(compute, batch, copy_patches_task, &job);
}

/* Packs the patch tokens' gradient of one image. */
static void split_task(void *data, int64_t image, int worker) {
    const embed_job *job = data;
    const tgr_dimensions *d = job->embed->dimensions;
    const float *from = job->dx + (image * d->tokens + d->prefix_tokens) * d->dim;
    (void)worker;
    memcpy(job->embed->patch_rows + image * d->patches * d->dim, from, (size_t)(d->patches * d->dim) * sizeof(float));
}

/* Sums over the images the gradient of one token's position and, for a prefix token, of the token itself. */
static void token_sum_task(void *data, int64_t token, int worker) {
    const embed_job *job = data;
    const tgr_embed *embed = job->embed;
    const tgr_dimensions *d = embed->dimensions;
    const tgr_kernels *kernels = job->kernels;
    const tgr_parameters *parameters = embed->projection.parameters;
    float *dpositions = tgr_gradient(parameters, embed->positions);
    int64_t first = first_positioned(embed);
    (void)worker;
    for (int64_t image = 0; image < job->batch; image++) {
        const float *dtoken = job->dx + (image * d->tokens + token) * d->dim;
        if (token >= first) kernels->add(d->dim, dtoken, dpositions + (token - first) * d->dim);
        if (token < d->prefix_tokens) kernels->add(d->dim, dtoken, tgr_gradient(parameters, embed->tokens[token]));
    }
}

void tgr_embed_backward(const tgr_embed *embed, int64_t batch, const float *images, const float *dx, float *partial) {
    const tgr_dimensions *d = embed->dimensions;
    const tgr_compute *compute = tgr_parameters_compute(embed->projection.parameters);
    embed_job job = {.embed = embed, .kernels = compute->kernels, .batch = batch, .images = images, .dx = dx};
    tgr_parallel(compute, batch * d->grid, gather_task, &job);
    tgr_parallel(compute, batch, split_task, &job);
    tgr_linear_backward(&embed->projection, batch * d->patches, embed->patches, embed->patch_rows, NULL, 0, partial);
    tgr_parallel(compute, d->tokens, token_sum_task, &job);
}

/* SPDX-License-Identifier: MIT */
/* Width, depth and the rest, each from the one tensor that determines it. */
#include "exchange/sizes.h"

#include <stdio.h>

#include "base/assert.h"
#include "base/status.h"
#include "exchange/entry.h"
#include "exchange/match.h"

#define HEAD_WIDTH 64 /* of every named ViT and DeiT: 192 / 3, 384 / 6, 768 / 12, 1024 / 16 */
/* LayerScale if the file has it: the papers' initial value, for parts that start fresh. */
#define LAYER_SCALE 1e-6

static tgr_status need(const tgr_safetensors *file, const char *name, int ndim, tgr_safetensors_entry *entry) {
    int64_t index;
    int found;
    TGR_TRY(tgr_entry_find(file, name, &found, &index, entry));
    TGR_REQUIRE(found, TGR_ERROR_FILE_MISMATCH,
                "the file has no '%s': it does not hold a vision transformer with timm's names", name);
    char shape[TGR_SHAPE_BYTES];
    TGR_REQUIRE(entry->ndim == ndim && entry->count > 0, TGR_ERROR_FILE_MISMATCH,
                "'%s' is %s; %d dimensions are needed, none of them 0", name,
                tgr_shape_write(shape, entry->ndim, entry->dims), ndim);
    return TGR_OK;
}

static tgr_status has(const tgr_safetensors *file, const char *name, int *found) {
    int64_t index = tgr_safetensors_find(file, name);
    *found = index >= 0;
    return TGR_OK;
}

/* An option out of range is the file's fault here. */
static tgr_status set(tgr_config *config, tgr_option option, int64_t value) {
    if (tgr_config_set_i64(config, option, value) == TGR_OK) return TGR_OK;
    return tgr_fail(TGR_ERROR_FILE_MISMATCH, "the file's tensors do not form a valid model: %s", tgr_last_reason());
}

static tgr_status read_patches(tgr_config *config, const tgr_safetensors *file, int64_t *dim, int64_t *side) {
    tgr_safetensors_entry kernel;
    TGR_TRY(need(file, "patch_embed.proj.weight", 4, &kernel));
    char shape[TGR_SHAPE_BYTES];
    TGR_REQUIRE(kernel.dims[2] == kernel.dims[3], TGR_ERROR_FILE_MISMATCH,
                "'patch_embed.proj.weight' is %s; the patches must be square",
                tgr_shape_write(shape, kernel.ndim, kernel.dims));
    *dim = kernel.dims[0];
    *side = kernel.dims[2];
    TGR_TRY(set(config, TGR_OPTION_EMBED_DIM, *dim));
    TGR_TRY(set(config, TGR_OPTION_CHANNELS, kernel.dims[1]));
    return set(config, TGR_OPTION_PATCH_SIZE, *side);
}

/* Positions cover only the patches, or the prefix tokens as well. */
static tgr_status read_tokens(tgr_config *config, const tgr_safetensors *file, int64_t dim, int64_t side) {
    tgr_safetensors_entry positions;
    int distilled;
    TGR_TRY(need(file, "pos_embed", 3, &positions));
    TGR_TRY(has(file, "dist_token", &distilled));
    int64_t tokens = positions.count / dim;
    int64_t patches_alone = tgr_match_square_root(tokens);
    int64_t grid = patches_alone > 0 ? patches_alone : tgr_match_square_root(tokens - 1 - distilled);
    /* It cannot be ambiguous: no two squares above 0 are 1 or 2 apart. */
    TGR_ASSERT(patches_alone == 0 || tgr_match_square_root(tokens - 1 - distilled) == 0);
    char shape[TGR_SHAPE_BYTES];
    TGR_REQUIRE(grid > 0, TGR_ERROR_FILE_MISMATCH, "'pos_embed' is %s; the grid of patches must be square",
                tgr_shape_write(shape, positions.ndim, positions.dims));
    TGR_TRY(set(config, TGR_OPTION_DISTILLATION_TOKEN, distilled));
    TGR_TRY(set(config, TGR_OPTION_POSITION_CLS, patches_alone == 0));
    return set(config, TGR_OPTION_IMAGE_SIZE, grid * side);
}

static tgr_status read_blocks(tgr_config *config, const tgr_safetensors *file, int64_t dim) {
    tgr_safetensors_entry hidden;
    int64_t depth = 0;
    int found = 1, scaled;
    while (found) {
        char name[64];
        snprintf(name, sizeof name, "blocks.%lld.norm1.weight", (long long)depth);
        TGR_TRY(has(file, name, &found));
        depth += found;
    }
    TGR_TRY(set(config, TGR_OPTION_DEPTH, depth));
    TGR_TRY(need(file, "blocks.0.mlp.fc1.weight", 2, &hidden));
    if (tgr_config_set_f64(config, TGR_OPTION_MLP_RATIO, (double)hidden.dims[0] / (double)dim) != TGR_OK)
        return tgr_fail(TGR_ERROR_FILE_MISMATCH, "the file's tensors do not form a valid model: %s", tgr_last_reason());
    TGR_TRY(has(file, "blocks.0.ls1.gamma", &scaled));
    return scaled ? tgr_config_set_f64(config, TGR_OPTION_LAYER_SCALE, LAYER_SCALE) : TGR_OK;
}

static tgr_status read_head(tgr_config *config, const tgr_safetensors *file) {
    tgr_safetensors_entry head;
    int found;
    TGR_TRY(has(file, "head.weight", &found));
    if (!found) return set(config, TGR_OPTION_CLASSES, 0);
    TGR_TRY(need(file, "head.weight", 2, &head));
    return set(config, TGR_OPTION_CLASSES, head.dims[0]);
}

tgr_status tgr_sizes_read(tgr_config *config, const tgr_safetensors *file) {
    int64_t dim, side;
    TGR_TRY(read_patches(config, file, &dim, &side));
    TGR_TRY(read_tokens(config, file, dim, side));
    TGR_TRY(read_blocks(config, file, dim));
    TGR_TRY(read_head(config, file));
    return set(config, TGR_OPTION_HEADS, dim % HEAD_WIDTH == 0 ? dim / HEAD_WIDTH : 1);
}

/* SPDX-License-Identifier: MIT */
/* Width, depth and the rest, each from the one tensor that determines it. */
#include "exchange/sizes.h"

#include <stdio.h>

#include "base/assert.h"
#include "base/config.h"
#include "base/status.h"
#include "exchange/match.h"
#include "exchange/source.h"
#include "exchange/timm_sizes.h"

/* LayerScale if the file has it: the papers' initial value, for parts that start fresh. */
#define LAYER_SCALE 1e-6

/* What shapes tell. */
typedef struct file_sizes {
    int64_t dim, depth, hidden;
    int64_t patch; /* pixels along a side */
    int64_t grid;  /* patches along a side, if it is square */
    int position_cls, layer_scale;
} file_sizes;

static tgr_status need(const tgr_source *source, const char *name, int ndim, tgr_safetensors_entry *entry) {
    int64_t index;
    int found;
    TGR_TRY(tgr_source_find(source, name, &found, &index, entry));
    TGR_REQUIRE(found, TGR_ERROR_FILE_MISMATCH,
                "the file has no '%s': it does not hold a vision transformer with timm's names", name);
    char shape[TGR_SHAPE_BYTES];
    TGR_REQUIRE(entry->ndim == ndim && entry->count > 0, TGR_ERROR_FILE_MISMATCH,
                "'%s' is %s; %d dimensions are needed, none of them 0", name,
                tgr_shape_write(shape, entry->ndim, entry->dims), ndim);
    return TGR_OK;
}

static tgr_status has(const tgr_source *source, const char *name, int *found) {
    tgr_safetensors_entry entry;
    int64_t index;
    return tgr_source_find(source, name, found, &index, &entry);
}

/* An option out of range is the file's fault here. */
static tgr_status set(tgr_config *config, tgr_option option, int64_t value) {
    if (tgr_config_set_i64(config, option, value) == TGR_OK) return TGR_OK;
    return tgr_fail(TGR_ERROR_FILE_MISMATCH, "the file's tensors do not form a valid model: %s", tgr_last_reason());
}

static tgr_status read_patches(tgr_config *config, const tgr_source *source, file_sizes *sizes) {
    tgr_safetensors_entry kernel;
    TGR_TRY(need(source, "patch_embed.proj.weight", 4, &kernel));
    char shape[TGR_SHAPE_BYTES];
    TGR_REQUIRE(kernel.dims[2] == kernel.dims[3], TGR_ERROR_FILE_MISMATCH,
                "'patch_embed.proj.weight' is %s; the patches must be square",
                tgr_shape_write(shape, kernel.ndim, kernel.dims));
    sizes->dim = kernel.dims[0];
    sizes->patch = kernel.dims[2];
    TGR_TRY(set(config, TGR_OPTION_EMBED_DIM, sizes->dim));
    TGR_TRY(set(config, TGR_OPTION_CHANNELS, kernel.dims[1]));
    return set(config, TGR_OPTION_PATCH_SIZE, sizes->patch);
}

/* Positions cover only the patches, or the prefix tokens as well. */
static tgr_status read_tokens(tgr_config *config, const tgr_source *source, file_sizes *sizes) {
    tgr_safetensors_entry positions;
    int distilled;
    TGR_TRY(need(source, "pos_embed", 3, &positions));
    TGR_TRY(has(source, "dist_token", &distilled));
    int64_t tokens = positions.count / sizes->dim;
    int64_t patches_alone = tgr_match_square_root(tokens);
    const int64_t grid = patches_alone > 0 ? patches_alone : tgr_match_square_root(tokens - 1 - distilled);
    /* It cannot be ambiguous: no two squares above 0 are 1 or 2 apart. */
    TGR_ASSERT(patches_alone == 0 || tgr_match_square_root(tokens - 1 - distilled) == 0);
    char shape[TGR_SHAPE_BYTES];
    TGR_REQUIRE(grid > 0, TGR_ERROR_FILE_MISMATCH, "'pos_embed' is %s; the grid of patches must be square",
                tgr_shape_write(shape, positions.ndim, positions.dims));
    sizes->grid = grid;
    sizes->position_cls = patches_alone == 0;
    TGR_TRY(set(config, TGR_OPTION_DISTILLATION_TOKEN, distilled));
    TGR_TRY(set(config, TGR_OPTION_POSITION_CLS, sizes->position_cls));
    return set(config, TGR_OPTION_IMAGE_SIZE, grid * sizes->patch);
}

static tgr_status read_blocks(tgr_config *config, const tgr_source *source, file_sizes *sizes) {
    tgr_safetensors_entry hidden;
    int64_t depth = 0;
    int found = 1;
    while (found) {
        char name[64];
        snprintf(name, sizeof name, "blocks.%lld.norm1.weight", (long long)depth);
        TGR_TRY(has(source, name, &found));
        depth += found;
    }
    TGR_TRY(set(config, TGR_OPTION_DEPTH, depth));
    TGR_TRY(need(source, "blocks.0.mlp.fc1.weight", 2, &hidden));
    sizes->depth = depth;
    sizes->hidden = hidden.dims[0];
    if (tgr_config_set_f64(config, TGR_OPTION_MLP_RATIO, (double)sizes->hidden / (double)sizes->dim) != TGR_OK)
        return tgr_fail(TGR_ERROR_FILE_MISMATCH, "the file's tensors do not form a valid model: %s", tgr_last_reason());
    TGR_TRY(has(source, "blocks.0.ls1.gamma", &sizes->layer_scale));
    return sizes->layer_scale ? tgr_config_set_f64(config, TGR_OPTION_LAYER_SCALE, LAYER_SCALE) : TGR_OK;
}

static tgr_status read_head(tgr_config *config, const tgr_source *source) {
    tgr_safetensors_entry head;
    int found;
    TGR_TRY(has(source, "head.weight", &found));
    if (!found) return set(config, TGR_OPTION_CLASSES, 0);
    TGR_TRY(need(source, "head.weight", 2, &head));
    return set(config, TGR_OPTION_CLASSES, head.dims[0]);
}

static int has_width(const tgr_timm_size *row, const file_sizes *sizes) {
    return row->dim == sizes->dim && row->depth == sizes->depth && row->hidden == sizes->hidden;
}

/* Whether timm has a model of these patches in this grid, square as all of its are, and none whose positions would be
 * as many in another grid: 225 are 15 x 15 patches, or CLS and 14 x 16. */
static int knows_grid(const file_sizes *sizes) {
    int known = 0;
    for (int i = 0; i < tgr_timm_size_count; i++) {
        const tgr_timm_size *row = &tgr_timm_sizes[i];
        if (!has_width(row, sizes) || row->patch != sizes->patch || row->layer_scale != sizes->layer_scale) continue;
        if (row->position_cls > sizes->position_cls) return 0;
        known |= row->grid == sizes->grid && row->position_cls == sizes->position_cls;
    }
    return known;
}

/* Heads are 64 wide in most models, but not in vit_huge, giant and gigantic: a guess would be wrong without a word. */
static tgr_status read_heads(tgr_config *config, const file_sizes *sizes) {
    char why[TGR_ASK_BYTES];
    const tgr_timm_size *row = NULL;
    for (int i = 0; i < tgr_timm_size_count && row == NULL; i++)
        if (has_width(&tgr_timm_sizes[i], sizes)) row = &tgr_timm_sizes[i];
    TGR_TRY(set(config, TGR_OPTION_HEADS, row != NULL ? row->heads : 1));
    if (row != NULL) return TGR_OK;
    snprintf(why, sizeof why,
             "no shape tells the number of heads, and timm has no model of width %lld, depth %lld and FFN width %lld",
             (long long)sizes->dim, (long long)sizes->depth, (long long)sizes->hidden);
    tgr_config_ask(config, TGR_OPTION_HEADS, why);
    return TGR_OK;
}

/* The sides of the grid closest to a square, but none, that has so many patches; 1 x n always is. */
static int64_t other_rows(int64_t patches, int64_t grid) {
    int64_t rows = grid - (grid * grid == patches);
    while (rows > 1 && patches % rows != 0) rows--;
    return rows;
}

/* 144 patches are 12 x 12, or 8 x 18 of a model for rectangular images. */
static void check_grid(tgr_config *config, const file_sizes *sizes) {
    char why[TGR_ASK_BYTES];
    if (sizes->grid == 1 || knows_grid(sizes)) return;
    const int64_t square = sizes->grid * sizes->grid, patches = sizes->position_cls ? square : square - 1;
    const int64_t rows = other_rows(patches, sizes->grid);
    snprintf(
        why, sizeof why,
        "no shape tells whether its patches are %lld x %lld, or %s%lld x %lld of rectangular images, which are not "
        "supported; image_size=%lld says that they are square",
        (long long)sizes->grid, (long long)sizes->grid, sizes->position_cls ? "" : "with CLS ", (long long)rows,
        (long long)(patches / rows), (long long)(sizes->grid * sizes->patch));
    tgr_config_ask(config, TGR_OPTION_IMAGE_SIZE, why);
}

/* DeiT-III's own files name LayerScale gamma_1, and so does timm's vit_*_rope_ape, which has the same tensors but
 * rotates queries and keys. */
static tgr_status check_rotation(tgr_config *config, const tgr_source *source) {
    int64_t index;
    TGR_TRY(tgr_source_find_exactly(source, "blocks.0.gamma_1", &index));
    if (index < 0 || tgr_option_i64(config, TGR_OPTION_POSITION_CLS)) return TGR_OK;
    tgr_config_ask(config, TGR_OPTION_LAYER_SCALE,
                   "LayerScale is named gamma_1, as in DeiT-III's own files and in timm's vit_*_rope_ape, whose rotary "
                   "positions are not supported; layer_scale=1e-6 says that it is DeiT-III");
    return TGR_OK;
}

tgr_status tgr_sizes_read(tgr_config *config, const tgr_source *source) {
    file_sizes sizes = {0};
    TGR_TRY(read_patches(config, source, &sizes));
    TGR_TRY(read_tokens(config, source, &sizes));
    TGR_TRY(read_blocks(config, source, &sizes));
    TGR_TRY(read_head(config, source));
    TGR_TRY(read_heads(config, &sizes));
    check_grid(config, &sizes);
    return check_rotation(config, source);
}

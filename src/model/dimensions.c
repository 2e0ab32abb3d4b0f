/* SPDX-License-Identifier: MIT */
/* The sizes of a model, worked out from its config. Each option is within its range already; what is checked here is
 * that they go together. Nothing can overflow: the ranges keep every size below 2^42. Whole tensors are checked when
 * they are declared. */
#include "model/dimensions.h"

#include "base/status.h"

const int64_t *tgr_moe_blocks(const tgr_config *config, int64_t *count) {
    const int64_t *blocks = tgr_option_list(config, TGR_OPTION_MOE_BLOCKS, count);
    if (tgr_option_i64(config, TGR_OPTION_METHOD) == TGR_METHOD_DENSE) *count = 0;
    return blocks;
}

static tgr_status check_moe_blocks(const tgr_config *config, int64_t depth) {
    int64_t count = 0;
    const int64_t *blocks = tgr_moe_blocks(config, &count);
    if (tgr_option_i64(config, TGR_OPTION_METHOD) == TGR_METHOD_DENSE) return TGR_OK;
    TGR_REQUIRE(count > 0, TGR_ERROR_RANGE, "moe_blocks is empty; every method except dense needs at least one block");
    TGR_REQUIRE(blocks[count - 1] <= depth, TGR_ERROR_RANGE, "moe_blocks has %lld; blocks must be 1 to depth, %lld",
                (long long)blocks[count - 1], (long long)depth);
    return TGR_OK;
}

tgr_status tgr_dimensions_read(tgr_dimensions *dimensions, const tgr_config *config) {
    tgr_dimensions d = {.image_size = tgr_option_i64(config, TGR_OPTION_IMAGE_SIZE),
                        .channels = tgr_option_i64(config, TGR_OPTION_CHANNELS),
                        .patch_size = tgr_option_i64(config, TGR_OPTION_PATCH_SIZE),
                        .classes = tgr_option_i64(config, TGR_OPTION_CLASSES),
                        .prefix_tokens = 1 + tgr_option_i64(config, TGR_OPTION_DISTILLATION_TOKEN),
                        .dim = tgr_option_i64(config, TGR_OPTION_EMBED_DIM),
                        .depth = tgr_option_i64(config, TGR_OPTION_DEPTH),
                        .heads = tgr_option_i64(config, TGR_OPTION_HEADS)};
    TGR_REQUIRE(d.image_size % d.patch_size == 0, TGR_ERROR_RANGE,
                "patch_size is %lld; it must divide image_size, %lld", (long long)d.patch_size,
                (long long)d.image_size);
    TGR_REQUIRE(d.dim % d.heads == 0, TGR_ERROR_RANGE, "embed_dim is %lld; it must be a multiple of heads, %lld",
                (long long)d.dim, (long long)d.heads);
    d.hidden = tgr_hidden_width(config, d.dim);
    TGR_TRY(check_moe_blocks(config, d.depth));
    d.grid = d.image_size / d.patch_size;
    d.patches = d.grid * d.grid;
    d.tokens = d.prefix_tokens + d.patches;
    d.patch_dim = d.channels * d.patch_size * d.patch_size;
    d.head_dim = d.dim / d.heads;
    *dimensions = d;
    return TGR_OK;
}

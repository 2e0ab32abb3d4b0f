/* SPDX-License-Identifier: MIT */
/* Matching the student's MoE layers and tokens with the teacher's blocks and tokens. */
#include "teacher/match.h"

#include "base/assert.h"
#include "base/status.h"

/* The index of `block` among the features, to which it is added if it is new. */
static int64_t find_feature(tgr_layer_match *match, int64_t block) {
    for (int64_t f = 0; f < match->features; f++)
        if (match->block_of_feature[f] == block) return f;
    TGR_ASSERT(block >= 0 && match->features < TGR_LIST_MAX);
    match->block_of_feature[match->features] = block;
    return match->features++;
}

tgr_status tgr_match_layers(tgr_layer_match *match, const tgr_model *student, const tgr_model *backbone) {
    int64_t chosen_count = 0, depth = tgr_model_dimensions(backbone)->depth;
    const tgr_config *config = tgr_model_config(student);
    const int64_t *chosen = tgr_option_list(config, TGR_OPTION_TEACHER_LAYERS, &chosen_count);
    *match = (tgr_layer_match){.layers = tgr_model_moe_layer_count(student)};
    TGR_REQUIRE(match->layers >= 1, TGR_ERROR_ARGUMENT, "argument 'student' has no MoE layer that could be guided");
    TGR_REQUIRE(
        chosen_count <= 1 || chosen_count == match->layers, TGR_ERROR_RANGE,
        "teacher_layers has %lld numbers; it may have none, one, or one for each of the student's %lld MoE layers",
        (long long)chosen_count, (long long)match->layers);
    TGR_ASSERT(match->layers <= TGR_LIST_MAX);
    for (int64_t i = 0; i < match->layers; i++) {
        int64_t block = 0; /* counted from 1 */
        TGR_TRY(tgr_model_moe_block(student, i, &block));
        if (chosen_count > 0) block = chosen[chosen_count == 1 ? 0 : i];
        TGR_REQUIRE(block <= depth, TGR_ERROR_RANGE,
                    "MoE layer %lld is guided by teacher block %lld; the teacher has %lld blocks", (long long)i,
                    (long long)block, (long long)depth);
        match->feature_of_layer[i] = find_feature(match, block - 1);
    }
    return TGR_OK;
}

tgr_status tgr_match_images(const tgr_dimensions *student, const tgr_dimensions *backbone) {
    TGR_REQUIRE(student->grid == backbone->grid, TGR_ERROR_SHAPE,
                "the student has %lld patches (%lld by %lld), the teacher %lld (%lld by %lld); they must be the same",
                (long long)student->patches, (long long)student->grid, (long long)student->grid,
                (long long)backbone->patches, (long long)backbone->grid, (long long)backbone->grid);
    TGR_REQUIRE(
        student->image_size == backbone->image_size && student->channels == backbone->channels, TGR_ERROR_SHAPE,
        "the student reads images of %lld channels and size %lld, the teacher of %lld and %lld; both get the same "
        "images",
        (long long)student->channels, (long long)student->image_size, (long long)backbone->channels,
        (long long)backbone->image_size);
    return TGR_OK;
}

void tgr_match_tokens(const tgr_dimensions *student, const tgr_dimensions *backbone, int64_t *map) {
    const int64_t cls = 0, distillation = 1;
    TGR_ASSERT(student->patches == backbone->patches);
    map[cls] = cls;
    if (student->prefix_tokens > 1) map[distillation] = backbone->prefix_tokens > 1 ? distillation : cls;
    for (int64_t p = 0; p < student->patches; p++) map[student->prefix_tokens + p] = backbone->prefix_tokens + p;
}

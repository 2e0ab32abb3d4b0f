/* SPDX-License-Identifier: MIT */
/* Which part of the teacher guides which part of the student, by block and by token. */
#ifndef TGR_TEACHER_MATCH_H
#define TGR_TEACHER_MATCH_H

#include "model/model.h"

/* Which backbone blocks are read, each once, and which of them guides which MoE layer. */
typedef struct tgr_layer_match {
    int64_t layers;                         /* MoE layers of the student, |S| */
    int64_t features;                       /* distinct backbone blocks that are read */
    int64_t block_of_feature[TGR_LIST_MAX]; /* from 0 */
    int64_t feature_of_layer[TGR_LIST_MAX];
} tgr_layer_match;

/* From option teacher_layers of the student's config: one block for each layer, one for all, or empty for the same
 * blocks. */
tgr_status tgr_match_layers(tgr_layer_match *match, const tgr_model *student, const tgr_model *backbone);
/* ERROR_SHAPE unless both take the same images and cut them into the same patches. */
tgr_status tgr_match_images(const tgr_dimensions *student, const tgr_dimensions *backbone);
/* map[n] is the backbone's token that guides the student's token n: patch by patch, CLS by CLS, the distillation token
 * by the backbone's or, if it has none, by CLS. */
void tgr_match_tokens(const tgr_dimensions *student, const tgr_dimensions *backbone, int64_t *map);

#endif

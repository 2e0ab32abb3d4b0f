/* SPDX-License-Identifier: MIT */
/* Mixup (Zhang et al., ICLR 2018) and CutMix (Yun et al., ICCV 2019) of a batch with itself in reverse order. */
#ifndef TOOL_AUGMENT_MIX_H
#define TOOL_AUGMENT_MIX_H

#include "augment/random.h"
#include "augment/recipe.h"

/* A mixed image is `lambda` itself and the rest its partner: blended everywhere or, if `cut`, with rows top … bottom-1
 * and columns left … right-1 taken from the partner. */
typedef struct mix_plan {
    double lambda;
    int cut;
    int top, bottom, left, right;
} mix_plan;

/* The plan of the batch `key`: lambda is Beta(alpha, alpha). If both are on, each is used half of the time; if neither
 * is, lambda is 1. */
mix_plan mix_draw(const augment_recipe *recipe, int height, int width, augment_key key);
/* Where CutMix cuts, given lambda and the centre; lambda is then corrected to the area that is left. */
mix_plan mix_cut(double lambda, int height, int width, int center_y, int center_x);
/* images [count, channels, height, width]. */
void mix_images(float *images, int64_t count, int channels, int height, int width, const mix_plan *plan);
/* targets [count, classes] from labels [count]; the loss smooths labels. */
void mix_targets(float *targets, const int32_t *labels, int64_t count, int64_t classes, const mix_plan *plan);

#endif

/* SPDX-License-Identifier: MIT */
/* Mixup (Zhang et al., ICLR 2018) and CutMix (Yun et al., ICCV 2019) of a batch with itself in reverse order. */
#ifndef TOOL_AUGMENT_MIX_H
#define TOOL_AUGMENT_MIX_H

#include "augment/random.h"
#include "augment/recipe.h"

/* The share `lambda` of a mixed image is its own, the rest the other's: all over, or, if `cut`, in the rows
 * top … bottom-1 and columns left … right-1. */
typedef struct mix_plan {
    double lambda;
    int cut;
    int top, bottom, left, right;
} mix_plan;

/* The plan of the batch `key`: lambda is Beta(alpha, alpha); with both, each of them half of the time; with neither,
 * lambda is 1. */
mix_plan mix_draw(const augment_recipe *recipe, int height, int width, augment_key key);
/* Where CutMix cuts for a lambda drawn, around that centre; lambda becomes the area's that is left. */
mix_plan mix_cut(double lambda, int height, int width, int center_y, int center_x);
/* images [count, channels, height, width]. */
void mix_images(float *images, int64_t count, int channels, int height, int width, const mix_plan *plan);
/* targets [count, classes] of labels [count]; label smoothing is the loss's. */
void mix_targets(float *targets, const int32_t *labels, int64_t count, int64_t classes, const mix_plan *plan);

#endif

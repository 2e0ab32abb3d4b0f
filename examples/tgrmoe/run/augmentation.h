/* SPDX-License-Identifier: MIT */
/* The recipe of augmentation that the flags ask for. */
#ifndef TOOL_RUN_AUGMENTATION_H
#define TOOL_RUN_AUGMENTATION_H

#include "arguments.h"
#include "augment/recipe.h"

/* By how much the recipe that --augment names smooths labels, unless the option label_smoothing is set; 0 for not at
 * all. */
double augment_label_smoothing(const tool_arguments *arguments);
/* The recipe that --augment names, with the changes that other flags make. `small`: images are shifted, not cropped and
 * resized. The fill is `mean` [channels], of pixel/255. */
int augment_options_read(augment_recipe *out, const tool_arguments *arguments, int small, const double *mean,
                         int64_t channels);
/* Whether any of these flags was given. */
int augment_options_given(const tool_arguments *arguments);
#endif

/* SPDX-License-Identifier: MIT */
/* How timm prepares images for its pretrained models, by their names. */
#ifndef TOOL_MODELS_TIMM_H
#define TOOL_MODELS_TIMM_H

#include "images/preprocessing.h"

/* Of the model called `name`, all but the orientation, which stays; the tag may be left out where it makes no
 * difference. */
int timm_preprocessing(preprocessing *out, const char *name);

#endif

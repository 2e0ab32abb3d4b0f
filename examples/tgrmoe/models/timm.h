/* SPDX-License-Identifier: MIT */
/* How timm prepares images for its pretrained models, by their names. */
#ifndef TOOL_MODELS_TIMM_H
#define TOOL_MODELS_TIMM_H

#include "images/preprocessing.h"

/* For the model called `name`, everything but the orientation, which stays; the tag may be omitted where it makes no
 * difference. */
int timm_preprocessing(preprocessing *out, const char *name);

#endif

/* SPDX-License-Identifier: MIT */
/* How timm prepares images for its pretrained models, by their names. */
#ifndef TOOL_MODELS_TIMM_H
#define TOOL_MODELS_TIMM_H

#include "images/preprocessing.h"

typedef struct timm_name {
    const char *name; /* with its tag: "vit_small_patch16_224.augreg_in1k" */
    preprocessing how;
} timm_name;

extern const timm_name timm_names[]; /* [timm_name_count], sorted */
extern const int timm_name_count;

/* Of the model called `name`; the tag may be left out where it makes no difference. */
int timm_preprocessing(preprocessing *out, const char *name);

#endif

/* SPDX-License-Identifier: MIT */
/* The table of timm's pretrained models that can be imported. */
#ifndef TOOL_MODELS_TIMM_NAMES_H
#define TOOL_MODELS_TIMM_NAMES_H

#include "images/preprocessing.h"

typedef struct timm_name {
    const char *name; /* with its tag: "vit_small_patch16_224.augreg_in1k" */
    preprocessing how;
} timm_name;

extern const timm_name timm_names[]; /* [timm_name_count], sorted */
extern const int timm_name_count;

#endif

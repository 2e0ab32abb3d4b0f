/* SPDX-License-Identifier: MIT */
/* What finetune knows of the model that it begins from, and what it makes of that. */
#ifndef TOOL_COMMANDS_FINETUNE_H
#define TOOL_COMMANDS_FINETUNE_H

#include "arguments.h"

enum { PRETRAINED_SETTINGS = 96, PRETRAINED_VALUE = 1024 };

typedef struct pretrained {
    int dense;
    int64_t depth;
    char method[64];
    tool_setting settings[PRETRAINED_SETTINGS]; /* options that a model with these weights must share */
    char values[PRETRAINED_SETTINGS][PRETRAINED_VALUE];
    int count;
} pretrained;

typedef struct finetune_plan {
    const char *path;
    pretrained model;
    const char *method;
    char blocks[32];
    tool_arguments arguments; /* of train */
} finetune_plan;

/* The options of the model in a file, a checkpoint or safetensors. */
int pretrained_read(pretrained *out, const char *path);

#endif

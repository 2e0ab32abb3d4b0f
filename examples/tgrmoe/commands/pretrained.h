/* SPDX-License-Identifier: MIT */
/* What a pretrained model determines of a model that starts from its weights. */
#ifndef TOOL_COMMANDS_PRETRAINED_H
#define TOOL_COMMANDS_PRETRAINED_H

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

/* The options of the model in a file, a checkpoint or safetensors, of which the command line may say what its shapes do
 * not tell. */
int pretrained_read(pretrained *out, const char *path, const tool_arguments *arguments);

#endif

/* SPDX-License-Identifier: MIT */
/* A model from a file of either kind: a checkpoint that this tool saved (its part "model"), or safetensors. */
#ifndef TOOL_MODEL_FILE_H
#define TOOL_MODEL_FILE_H

#include "arguments.h"
#include "preprocessing.h"
#include "tgrmoe/tgrmoe.h"

/* Whether the file begins as safetensors do. */
int model_file_is_safetensors(const char *path, int *yes);

/* The model as the file has it. */
int model_file_open(tgr_model **out, tgr_context *context, const char *path);
/* The same, but for safetensors with the images and the classes of `like`: positions are resampled and heads are fresh
 * where they differ. Says so on standard error. */
int model_file_open_like(tgr_model **out, tgr_context *context, const char *path, const tgr_model *like);
/* The same for safetensors alone, with options of the caller's own. */
int model_file_import(tgr_model **out, tgr_context *context, const char *path, const tool_setting *settings, int count);

/* What was done to the images that the model learned from, if the file says it. `out` is as it was if not. */
int model_file_preprocessing(preprocessing *out, const char *path, int *found);

#endif

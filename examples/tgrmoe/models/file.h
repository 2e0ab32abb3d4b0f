/* SPDX-License-Identifier: MIT */
/* A model from a file of either kind: a checkpoint of this tool, or safetensors. */
#ifndef TOOL_MODELS_FILE_H
#define TOOL_MODELS_FILE_H

#include <tgrmoe/tgrmoe.h>

#include "arguments.h"

/* Width of a head in every named ViT and DeiT. For other models, only the library's own files say how many heads there
 * are. */
enum { HEAD_WIDTH = 64 };

/* Whether the file begins like safetensors. */
int model_file_is_safetensors(const char *path, int *yes);

/* The options of the model in the file. */
int model_file_config(tgr_config **out, tgr_context *context, const char *path);
/* The model as it is in the file. */
int model_file_open(tgr_model **out, tgr_context *context, const char *path);
/* The model in a safetensors file, with options set by the caller. */
int model_file_make(tgr_model **out, tgr_context *context, const tgr_safetensors *file, const char *path,
                    const tool_setting *settings, int count);
/* The same, given only the path. */
int model_file_import(tgr_model **out, tgr_context *context, const char *path, const tool_setting *settings, int count);

#endif

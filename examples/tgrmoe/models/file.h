/* SPDX-License-Identifier: MIT */
/* A model from a file of either kind: a checkpoint that this tool saved (its part "model"), or safetensors. */
#ifndef TOOL_MODELS_FILE_H
#define TOOL_MODELS_FILE_H

#include <tgrmoe/tgrmoe.h>

#include "arguments.h"

/* Of a head, in every ViT and DeiT by name; elsewhere the number of heads is in no file but the library's own. */
enum { HEAD_WIDTH = 64 };

/* Whether the file begins as safetensors do. */
int model_file_is_safetensors(const char *path, int *yes);

/* The options of the model in the file. */
int model_file_config(tgr_config **out, tgr_context *context, const char *path);
/* The model as the file has it. */
int model_file_open(tgr_model **out, tgr_context *context, const char *path);
/* The model of a safetensors file, with options of the caller's own. */
int model_file_make(tgr_model **out, tgr_context *context, const tgr_safetensors *file, const char *path,
                    const tool_setting *settings, int count);
/* The same by the file's name alone. */
int model_file_import(tgr_model **out, tgr_context *context, const char *path, const tool_setting *settings, int count);

#endif

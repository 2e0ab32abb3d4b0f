/* SPDX-License-Identifier: MIT */
/* A model from a file of either kind: a checkpoint of this tool, or safetensors. */
#ifndef TOOL_MODELS_FILE_H
#define TOOL_MODELS_FILE_H

#include <tgrmoe/tgrmoe.h>

#include "arguments.h"

enum { MODEL_FILE_SETTINGS = 3 };

/* Whether the file begins like safetensors. */
int model_file_is_safetensors(const char *path, int *yes);

/* Of the command line's settings, those that may describe a model in safetensors: what its shapes do not tell. How many
 * there are. */
int model_file_settings(tool_setting out[MODEL_FILE_SETTINGS], const tool_arguments *arguments);
/* The options of the model in the file; `settings` describe one in safetensors. */
int model_file_config(tgr_config **out, tgr_context *context, const char *path, const tool_setting *settings,
                      int count);
/* The same, where nobody cares for what shapes do not tell. */
int model_file_any_config(tgr_config **out, tgr_context *context, const char *path);
/* The model as the file has it. */
int model_file_open(tgr_model **out, tgr_context *context, const char *path);
/* The same with settings of the user's, which a checkpoint does not need: there they are an error. */
int model_file_open_set(tgr_model **out, tgr_context *context, const char *path, const tool_arguments *arguments);
/* The model of a safetensors file, with options of the caller's own. */
int model_file_make(tgr_model **out, tgr_context *context, const tgr_safetensors *file, const char *path,
                    const tool_setting *settings, int count);
/* The same, given only the path. */
int model_file_import(tgr_model **out, tgr_context *context, const char *path, const tool_setting *settings, int count);

#endif

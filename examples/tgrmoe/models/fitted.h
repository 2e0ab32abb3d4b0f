/* SPDX-License-Identifier: MIT */
/* A model from a file, brought to the images and the classes of another model. */
#ifndef TOOL_MODELS_FITTED_H
#define TOOL_MODELS_FITTED_H

#include <tgrmoe/tgrmoe.h>

/* The model in the file, but with the images and the classes of `like`: positions are resampled and heads are fresh
 * where they differ. Says so on standard error. */
int model_file_open_like(tgr_model **out, tgr_context *context, const char *path, const tgr_model *like);

#endif

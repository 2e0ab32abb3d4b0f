/* SPDX-License-Identifier: MIT */
/* A model from a file, adapted to the images and classes of another model. */
#ifndef TOOL_MODELS_FITTED_H
#define TOOL_MODELS_FITTED_H

#include <tgrmoe/tgrmoe.h>

/* The model in the file, but with the image size and classes of `like`: where they differ, positions are resampled and
 * the head is new. Says so on standard error. */
int model_file_open_like(tgr_model **out, tgr_context *context, const char *path, const tgr_model *like);

#endif

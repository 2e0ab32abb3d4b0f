/* SPDX-License-Identifier: MIT */
/* How images are prepared for the model in a file. */
#ifndef TOOL_MODELS_SAVED_PREPROCESSING_H
#define TOOL_MODELS_SAVED_PREPROCESSING_H

#include "images/preprocessing.h"

/* What was done to the images that the model learned from, if the file says it. `out` is as it was if not. */
int model_file_preprocessing(preprocessing *out, const char *path, int *found);
/* The same from a checkpoint's part "preprocessing" alone. */
int preprocessing_load(preprocessing *out, const char *path, int *found);

#endif

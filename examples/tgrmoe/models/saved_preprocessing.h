/* SPDX-License-Identifier: MIT */
/* How images are to be prepared for the model in a file. */
#ifndef TOOL_MODELS_SAVED_PREPROCESSING_H
#define TOOL_MODELS_SAVED_PREPROCESSING_H

#include "images/preprocessing.h"

/* How training images were prepared, if the file says so (*found); otherwise `out` is unchanged. */
int model_file_preprocessing(preprocessing *out, const char *path, int *found);
/* The same, but only from a checkpoint's part "preprocessing". */
int preprocessing_load(preprocessing *out, const char *path, int *found);

#endif

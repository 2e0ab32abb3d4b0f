/* SPDX-License-Identifier: MIT */
/* How images are to be prepared for the model in a file. */
#ifndef TOOL_MODELS_SAVED_PREPROCESSING_H
#define TOOL_MODELS_SAVED_PREPROCESSING_H

#include "arguments.h"
#include "images/preprocessing.h"

/* What was done to the images that the model learned from: the file's own word, else an assumption; then what the flags
 * say, --timm NAME first. A file that cannot be read is an error. */
int model_file_preprocessing(preprocessing *out, const char *path, const tool_arguments *arguments);
/* From a checkpoint's part "preprocessing" alone; *found 0, and `out` as it was, when there is none. */
int preprocessing_load(preprocessing *out, const char *path, int *found);
/* The flag for each of preprocessing_keys. */
extern const char *const preprocessing_flags[PREPROCESSING_TEXTS];
int preprocessing_from_flags(preprocessing *io, const tool_arguments *arguments);

#endif

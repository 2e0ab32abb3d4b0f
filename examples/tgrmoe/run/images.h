/* SPDX-License-Identifier: MIT */
/* The images of a run: which, what is done to them, and what the run's file says of that. */
#ifndef TOOL_RUN_IMAGES_H
#define TOOL_RUN_IMAGES_H

#include "batches/reader.h"
#include "images/preprocessing.h"
#include "run/run.h"

/* Loads arguments->data, the images with arguments->labels alone if those are given. `trained` NULL, or the file of a
 * model that has its labels from folders of images. */
int dataset_from_flags(dataset *data, const tool_arguments *arguments, int train, const char *trained);
/* The flag for each of preprocessing_keys. */
extern const char *const preprocessing_flags[PREPROCESSING_TEXTS];
int preprocessing_from_flags(preprocessing *io, const tool_arguments *arguments);
/* What is done to the images of a fresh run: as with the model that it begins from or the teacher, then by the flags.
 */
int run_find_preprocessing(tool_run *run);
/* The same of a run that goes on, which no flag may change. */
int run_saved_preprocessing(tool_run *run);
/* Images in files are brought to the size that the config says; NULL: that of the model. */
int run_fit_images(tool_run *run, const tgr_config *config);
/* How a set of images is read, but for their order. */
reading run_reading(const tool_run *run, const image_set *set);

#endif

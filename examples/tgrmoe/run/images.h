/* SPDX-License-Identifier: MIT */
/* The images of a run: which ones, and how they are prepared. */
#ifndef TOOL_RUN_IMAGES_H
#define TOOL_RUN_IMAGES_H

#include "batches/reader.h"
#include "images/preprocessing.h"
#include "run/run.h"

/* Loads arguments->data; only the images with arguments->labels if given. `trained`: NULL, or the file of a model whose
 * names of classes decide the labels. */
int dataset_from_flags(dataset *data, const tool_arguments *arguments, int train, const char *trained);
/* What is done to the images of a fresh run: as with the model that it begins from or the teacher, then by the flags.
 */
int run_find_preprocessing(tool_run *run);
/* For a resumed run: as saved, which no flag may change. */
int run_saved_preprocessing(tool_run *run);
/* Sets the size of images in files to the config's (NULL: the model's). */
int run_fit_images(tool_run *run, const tgr_config *config);
/* How a set of images is read, apart from its order. */
reading run_reading(const tool_run *run, const image_set *set);

#endif

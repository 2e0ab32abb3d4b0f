/* SPDX-License-Identifier: MIT */
/* Loading a data set of any kind. */
#ifndef TOOL_DATA_LOAD_H
#define TOOL_DATA_LOAD_H

#include "data/dataset.h"
#include "data/folder_load.h"

/* The folder's data. `name` is "idx", "cifar10", "cifar100" or "folder"; NULL to go by the files that are there.
 * `train` 0 leaves the training set out, for evaluation. `how` NULL is the defaults. On failure nothing is kept. */
int dataset_load(dataset *out, const char *folder, const char *name, int train, const folder_options *how);
/* Mean and standard deviation of pixel/255 for each channel, as they are known for this kind of data. */
void dataset_statistics(dataset_kind kind, double mean[DATASET_CHANNELS_MAX], double deviation[DATASET_CHANNELS_MAX]);

#endif

/* SPDX-License-Identifier: MIT */
/* Loading a data set of any kind. */
#ifndef TOOL_DATA_LOAD_H
#define TOOL_DATA_LOAD_H

#include "data/dataset.h"
#include "data/folder_load.h"

/* Loads the data in a folder. `name` is "idx", "cifar10", "cifar100" or "folder"; NULL detects the kind by the files
 * that exist. With `train` 0 the training set is left out, for evaluation. `how` NULL means the defaults. On failure
 * `out` is unchanged. */
int dataset_load(dataset *out, const char *folder, const char *name, int train, const folder_options *how);
/* The usual mean and standard deviation of pixel/255 for this kind of data, by channel. */
void dataset_statistics(dataset_kind kind, double mean[DATASET_CHANNELS_MAX], double deviation[DATASET_CHANNELS_MAX]);

#endif

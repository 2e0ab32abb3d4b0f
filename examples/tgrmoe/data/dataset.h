/* SPDX-License-Identifier: MIT */
/* Images to train with and images to test with. */
#ifndef TOOL_DATA_DATASET_H
#define TOOL_DATA_DATASET_H

#include "data/image_set.h"

typedef enum dataset_kind {
    DATASET_UNKNOWN = 0,
    DATASET_IDX,
    DATASET_CIFAR10,
    DATASET_CIFAR100,
    DATASET_FOLDER
} dataset_kind;

typedef struct dataset {
    dataset_kind kind;
    int64_t classes; /* as the data show: 10 or 100 for CIFAR, the highest label of the training set + 1 for IDX */
    name_list names; /* of the classes, for a folder of images; else empty */
    image_set train, test;
} dataset;

void dataset_free(dataset *data);
/* Leaves only the images with labels `first` to `last`, in their order. Labels keep their numbers. */
int dataset_keep_labels(dataset *data, int64_t first, int64_t last);
#endif

/* SPDX-License-Identifier: MIT */
/* Images for training and images for testing. */
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
    int64_t classes; /* as the data has them: 10 or 100 for CIFAR, the highest training label + 1 for IDX */
    name_list names; /* of the classes, for a folder of images; otherwise empty */
    image_set train, test;
} dataset;

void dataset_free(dataset *data);
/* Keeps only the images with labels `first` to `last`, in their order. Labels keep their numbers. */
int dataset_keep_labels(dataset *data, int64_t first, int64_t last);
#endif

/* SPDX-License-Identifier: MIT */
/* Labelled images in memory, and the files that they come from. */
#ifndef TOOL_DATASET_H
#define TOOL_DATASET_H

#include <stdint.h>

typedef struct image_set {
    int64_t count, channels, size;
    uint8_t *pixels; /* [count, channels, size, size] */
    uint8_t *labels; /* [count] */
} image_set;

typedef enum dataset_kind { DATASET_UNKNOWN = 0, DATASET_IDX, DATASET_CIFAR10, DATASET_CIFAR100 } dataset_kind;

enum { DATASET_CHANNELS_MAX = 3 };

typedef struct dataset {
    dataset_kind kind;
    int64_t classes; /* as the data show: 10 or 100 for CIFAR, the highest label of the training set + 1 for IDX */
    image_set train, test;
} dataset;

/* The folder's data. `name` is "idx", "cifar10" or "cifar100"; NULL to go by the files that are there. `train` 0 leaves
 * the training set out, for evaluation. On failure nothing is kept. */
int dataset_load(dataset *out, const char *folder, const char *name, int train);
void dataset_free(dataset *data);
/* Leaves only the images with labels `first` to `last`, in their order. Labels keep their numbers. */
int dataset_keep_labels(dataset *data, int64_t first, int64_t last);
/* Every label below `classes`, or a failure that names the first that is not. `what` is "training" or "test". */
int dataset_check_labels(const image_set *set, const char *what, int64_t classes);
/* Mean and standard deviation of pixel/255 for each channel, as they are known for this kind of data. */
void dataset_statistics(dataset_kind kind, double mean[DATASET_CHANNELS_MAX], double deviation[DATASET_CHANNELS_MAX]);
/* A number that tells one set's bytes from another's. */
uint32_t image_set_checksum(const image_set *set);
void image_set_free(image_set *set);

/* IDX: a file of images and one of labels, each packed by gzip or not. */
int idx_read(image_set *out, const char *images_path, const char *labels_path);
/* CIFAR binary: `files` paths, each records of `label_bytes` labels (the last one counts) and 3 x 32 x 32 pixels. */
int cifar_read(image_set *out, const char *const *paths, int files, int label_bytes, int classes);

#endif

/* SPDX-License-Identifier: MIT */
/* Labelled images: in memory, or in files that are read when they are needed. */
#ifndef TOOL_DATA_DATASET_H
#define TOOL_DATA_DATASET_H

#include <stdint.h>

#include "data/folder.h"
#include "images/image.h"

typedef struct image_set {
    int64_t count, channels;
    int64_t size;       /* images in files are brought to it; 0 there until it is known what the model takes */
    uint8_t *pixels;    /* [count, channels, size, size]; NULL for images in files */
    int32_t *labels;    /* [count] */
    char *root;         /* folder of the files; NULL for images in memory */
    folder_files files; /* [count] */
} image_set;

typedef enum dataset_kind {
    DATASET_UNKNOWN = 0,
    DATASET_IDX,
    DATASET_CIFAR10,
    DATASET_CIFAR100,
    DATASET_FOLDER
} dataset_kind;

enum { DATASET_CHANNELS_MAX = IMAGE_CHANNELS };

typedef struct dataset {
    dataset_kind kind;
    int64_t classes; /* as the data show: 10 or 100 for CIFAR, the highest label of the training set + 1 for IDX */
    name_list names; /* of the classes, for a folder of images; else empty */
    image_set train, test;
} dataset;

/* How a folder of images is read. */
typedef struct folder_options {
    double held_out;  /* without a folder val: the share of each class that is kept from training to test with */
    int skip_damaged; /* 1: images that cannot be decoded are named and left out; 0: they are an error */
    int threads;      /* that look at the files */
    const name_list *classes; /* NULL, or the classes in the order of their labels, which the folders must be among */
} folder_options;

enum { FOLDER_THREADS = 2 };
#define FOLDER_HELD_OUT 0.1

/* The folder's data. `name` is "idx", "cifar10", "cifar100" or "folder"; NULL to go by the files that are there.
 * `train` 0 leaves the training set out, for evaluation. `how` NULL is the defaults. On failure nothing is kept. */
int dataset_load(dataset *out, const char *folder, const char *name, int train, const folder_options *how);
void dataset_free(dataset *data);
/* Leaves only the images with labels `first` to `last`, in their order. Labels keep their numbers. */
int dataset_keep_labels(dataset *data, int64_t first, int64_t last);
/* Every label below `classes`, or a failure that names the first that is not. `what` is "training" or "test". */
int dataset_check_labels(const image_set *set, const char *what, int64_t classes);
/* Leaves `count` images, if there are more: the first; of files, which are in the order of their classes, every n-th.
 */
void image_set_limit(image_set *set, int64_t count);
/* Puts images of files into one fixed order in which classes alternate; those in memory stay where they are. */
int image_set_mix(image_set *set);
/* Mean and standard deviation of pixel/255 for each channel, as they are known for this kind of data. */
void dataset_statistics(dataset_kind kind, double mean[DATASET_CHANNELS_MAX], double deviation[DATASET_CHANNELS_MAX]);
/* A number that tells one set's bytes from another's. */
uint32_t image_set_checksum(const image_set *set);
void image_set_free(image_set *set);

/* IDX: a file of images and one of labels, each packed by gzip or not. */
int idx_read(image_set *out, const char *images_path, const char *labels_path);
/* Images in ROOT/train/CLASS and ROOT/val/CLASS (or validation, or test), or in ROOT/CLASS. */
int folder_load(dataset *data, const char *root, int train, const folder_options *how);
/* Whether the folder may be such a one. */
int folder_detect(const char *root);
/* CIFAR binary: `files` paths, each records of `label_bytes` labels (the last one counts) and 3 x 32 x 32 pixels. */
int cifar_read(image_set *out, const char *const *paths, int files, int label_bytes, int classes);

#endif

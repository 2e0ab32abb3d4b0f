/* SPDX-License-Identifier: MIT */
/* Labelled images for one purpose, training or testing: in memory, or in files that are read when needed. */
#ifndef TOOL_DATA_IMAGE_SET_H
#define TOOL_DATA_IMAGE_SET_H

#include <stdint.h>

#include "data/folder.h"
#include "images/image.h"

enum { DATASET_CHANNELS_MAX = IMAGE_CHANNELS };

typedef struct image_set {
    int64_t count, channels;
    int64_t size;       /* images in files are resized to it; for these it is 0 until the model's size is known */
    uint8_t *pixels;    /* [count, channels, size, size]; NULL for images in files */
    int32_t *labels;    /* [count] */
    char *root;         /* folder of the files; NULL for images in memory */
    folder_files files; /* [count] */
} image_set;

/* Keeps only the images with labels `first` to `last`, in their order. Labels keep their numbers. */
void image_set_keep_labels(image_set *set, int64_t first, int64_t last);
/* Keeps `count` images if there are more: the first ones; of files, which are ordered by class, every n-th. */
void image_set_limit(image_set *set, int64_t count);
/* Puts images in files into one fixed order in which classes are mixed; images in memory keep their order. */
int image_set_mix(image_set *set);
/* Fails if a label is not below `classes`, naming the first. `what` is "training" or "test". */
int image_set_check_labels(const image_set *set, const char *what, int64_t classes);
/* A checksum of labels and pixels. */
uint32_t image_set_checksum(const image_set *set);
void image_set_free(image_set *set);

#endif

/* SPDX-License-Identifier: MIT */
/* Labelled images of one kind of use, training or testing: in memory, or in files that are read when they are needed.
 */
#ifndef TOOL_DATA_IMAGE_SET_H
#define TOOL_DATA_IMAGE_SET_H

#include <stdint.h>

#include "data/folder.h"
#include "images/image.h"

enum { DATASET_CHANNELS_MAX = IMAGE_CHANNELS };

typedef struct image_set {
    int64_t count, channels;
    int64_t size;       /* images in files are brought to it; 0 there until it is known what the model takes */
    uint8_t *pixels;    /* [count, channels, size, size]; NULL for images in files */
    int32_t *labels;    /* [count] */
    char *root;         /* folder of the files; NULL for images in memory */
    folder_files files; /* [count] */
} image_set;

/* Leaves only the images with labels `first` to `last`, in their order. Labels keep their numbers. */
void image_set_keep_labels(image_set *set, int64_t first, int64_t last);
/* Leaves `count` images, if there are more: the first; of files, which are in the order of their classes, every n-th.
 */
void image_set_limit(image_set *set, int64_t count);
/* Puts images of files into one fixed order in which classes alternate; those in memory stay where they are. */
int image_set_mix(image_set *set);
/* Every label below `classes`, or a failure that names the first that is not. `what` is "training" or "test". */
int image_set_check_labels(const image_set *set, const char *what, int64_t classes);
/* A number that tells one set's bytes from another's. */
uint32_t image_set_checksum(const image_set *set);
void image_set_free(image_set *set);

#endif

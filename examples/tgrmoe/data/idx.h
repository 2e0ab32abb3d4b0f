/* SPDX-License-Identifier: MIT */
/* The IDX format of MNIST and Fashion-MNIST. */
#ifndef TOOL_DATA_IDX_H
#define TOOL_DATA_IDX_H

#include "data/image_set.h"

/* A file of images and one of labels, each packed by gzip or not. */
int idx_read(image_set *out, const char *images_path, const char *labels_path);

#endif

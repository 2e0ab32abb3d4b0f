/* SPDX-License-Identifier: MIT */
/* The binary files of CIFAR-10 and CIFAR-100. */
#ifndef TOOL_DATA_CIFAR_H
#define TOOL_DATA_CIFAR_H

#include "data/image_set.h"

/* `files` paths, each records of `label_bytes` labels (the last one counts) and 3 x 32 x 32 pixels. */
int cifar_read(image_set *out, const char *const *paths, int files, int label_bytes, int classes);

#endif

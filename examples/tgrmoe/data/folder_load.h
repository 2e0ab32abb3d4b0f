/* SPDX-License-Identifier: MIT */
/* A data set that is a folder of images. */
#ifndef TOOL_DATA_FOLDER_LOAD_H
#define TOOL_DATA_FOLDER_LOAD_H

#include "data/class_order.h"
#include "data/dataset.h"

/* How a folder of images is read. */
typedef struct folder_options {
    double held_out;          /* without a folder val: the share of each class that is held out for testing */
    int skip_damaged;         /* 1: images that cannot be decoded are named and left out; 0: they are an error */
    int threads;              /* that check the files */
    const name_list *classes; /* NULL, or the classes in the order of their labels; folders must be among them */
    class_order order;        /* where `classes` is NULL */
} folder_options;

enum { FOLDER_THREADS = 2 };
#define FOLDER_HELD_OUT 0.1

/* Images in ROOT/train/CLASS and ROOT/val/CLASS (or validation, or test), or in ROOT/CLASS. */
int folder_load(dataset *data, const char *root, int train, const folder_options *how);
/* Whether the folder could be one of these. */
int folder_detect(const char *root);

#endif

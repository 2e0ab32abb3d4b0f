/* SPDX-License-Identifier: MIT */
/* A folder of images with a folder in it for each class, as torchvision's ImageFolder reads it: classes in the order of
 * their names, images in the order of their folders and names, folders within a class's folder belong to the class.
 * What counts by its name is .jpg, .jpeg and .png in any case. Names with a dot in front are left out. */
#ifndef TOOL_DATA_FOLDER_H
#define TOOL_DATA_FOLDER_H

#include <stddef.h>
#include <stdint.h>

#include "data/name_list.h"

typedef struct folder_file {
    char *name;     /* below the root */
    size_t folder;  /* how much of the name is its folder */
    uint64_t bytes; /* 0 for what is no file */
    int32_t label;
} folder_file;

typedef struct folder_files {
    folder_file *files; /* [count] */
    int64_t count, capacity;
    int64_t others; /* files that are not images by their names */
} folder_files;

/* The names of the folders in `root`, sorted by their bytes. */
int folder_classes(name_list *out, const char *root);
/* All images of these classes. A class without images, or without a folder, is an error unless `sparse`. A folder of
 * another name is an error always: its images would have no label. */
int folder_scan(folder_files *out, const char *root, const name_list *classes, int sparse);
void folder_files_free(folder_files *list);

#endif

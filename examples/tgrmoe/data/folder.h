/* SPDX-License-Identifier: MIT */
/* A folder of images with a folder in it for each class, as torchvision's ImageFolder reads it: classes in the order of
 * their names, images in the order of their folders and names, folders within a class's folder belong to the class.
 * What counts by its name is .jpg, .jpeg and .png in any case. Names with a dot in front are left out. */
#ifndef TOOL_DATA_FOLDER_H
#define TOOL_DATA_FOLDER_H

#include <stddef.h>
#include <stdint.h>

typedef struct name_list {
    char **names; /* [count] */
    int64_t count;
} name_list;

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
/* Moves from `from` to `out` a share of each class's images, at least one of two or more: those whose names have the
 * smallest hashes. So the same images are held out on every machine, and few change when images are added. */
int folder_hold_out(folder_files *out, folder_files *from, double share);

int name_list_add(name_list *list, const char *name);
int name_list_copy(name_list *out, const name_list *from);
int64_t name_list_find(const name_list *in, const char *name); /* -1: it is not there */
void name_list_free(name_list *list);
void folder_files_free(folder_files *list);
/* `path` with control characters written as \xNN, cut to fit. */
const char *printable_name(char *to, size_t size, const char *path);

#endif

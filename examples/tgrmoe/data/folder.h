/* SPDX-License-Identifier: MIT */
/* A folder with a subfolder of images for each class, as torchvision's ImageFolder reads it: classes in the order of
 * their names, images in the order of their folders and names, subfolders of a class's folder belong to the class.
 * Images are recognised by the extensions .jpg, .jpeg and .png in upper or lower case. Names that begin with a dot are
 * ignored. */
#ifndef TOOL_DATA_FOLDER_H
#define TOOL_DATA_FOLDER_H

#include <stddef.h>
#include <stdint.h>

#include "data/name_list.h"

enum { FOLDER_UNREAD = 14 };
/* Endings of images that other programs read. */
extern const char *const folder_unread[FOLDER_UNREAD];

typedef struct folder_file {
    char *name;     /* relative to the root */
    size_t folder;  /* length of the folder's part of the name */
    uint64_t bytes; /* 0 if it is not a file */
    int32_t label;
} folder_file;

typedef struct folder_files {
    folder_file *files; /* [count] */
    int64_t count, capacity;
    int64_t unread[FOLDER_UNREAD]; /* images of kinds that are not read, by their names: of folder_unread[i] so many */
} folder_files;

/* The names of the subfolders of `root`, sorted bytewise. */
int folder_classes(name_list *out, const char *root);
/* Whether there is a folder `path` with files right in it that are images by their names, or with folders. */
typedef enum folder_content { FOLDER_IMAGES, FOLDER_FOLDERS } folder_content;
int folder_holds(const char *path, folder_content what);
/* All images of these classes. A class without images or without a folder is an error unless `sparse`. A folder with
 * any other name is always an error: its images would have no label. */
int folder_scan(folder_files *out, const char *root, const name_list *classes, int sparse);
void folder_files_free(folder_files *list);

#endif

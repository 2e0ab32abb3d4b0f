/* SPDX-License-Identifier: MIT */
/* From a file's name to the pixels that a model sees. */
#ifndef TOOL_IMAGES_FILE_H
#define TOOL_IMAGES_FILE_H

#include "data/folder.h"
#include "images/preprocessing.h"

/* What one thread needs to read images; zeroed to begin with. Its memory is used again for the next image. */
typedef struct image_loader {
    uint8_t *bytes; /* of the file */
    size_t size, capacity;
    image decoded;
    resizer memory;
} image_loader;

/* Decodes `root`/`name` into loader->decoded. */
int image_file_decode(image_loader *loader, const char *root, const char *name);
void image_loader_free(image_loader *loader);

/* Looks at every file, on so many threads: whether it can be opened and begins as JPEG or PNG, or with `decode`
 * whether it can be decoded. `reasons` [count] becomes NULL, or what is wrong as allocated text. */
int image_files_check(const char *root, const folder_files *files, int decode, int threads, char **reasons);

#endif

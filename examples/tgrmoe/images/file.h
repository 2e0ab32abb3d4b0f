/* SPDX-License-Identifier: MIT */
/* From the name of a file to its pixels. */
#ifndef TOOL_IMAGES_FILE_H
#define TOOL_IMAGES_FILE_H

#include "images/preprocessing.h"

/* What one thread needs to read images; initially all zero. Its memory is reused for the next image. */
typedef struct image_loader {
    uint8_t *bytes; /* of the file */
    size_t size, capacity;
    image decoded, turned;
    resizer memory;
} image_loader;

/* Decodes `root`/`name` into loader->decoded; with `upright` turned as the file says that it was taken. */
int image_file_decode(image_loader *loader, const char *root, const char *name, int upright);
void image_loader_free(image_loader *loader);

#endif

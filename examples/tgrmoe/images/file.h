/* SPDX-License-Identifier: MIT */
/* From a file's name to the pixels that a model sees. */
#ifndef TOOL_IMAGES_FILE_H
#define TOOL_IMAGES_FILE_H

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

#endif

/* SPDX-License-Identifier: MIT */
/* Memory of an image. */
#include "images/image.h"

#include <stdlib.h>

#include "failure.h"

int image_reserve(image *out, int width, int height) {
    const size_t needed = (size_t)width * (size_t)height * IMAGE_CHANNELS;
    if (needed > out->capacity) {
        image_free(out);
        out->pixels = malloc(needed);
        if (!out->pixels) return fail_with("no memory for an image of %d x %d pixels", width, height);
        out->capacity = needed;
    }
    out->width = width;
    out->height = height;
    return 0;
}

void image_free(image *out) {
    free(out->pixels);
    *out = (image){0};
}

/* SPDX-License-Identifier: MIT */
/* As torchvision draws them. */
#include "augment/crop.h"

#include <math.h>
#include <string.h>

enum { TRIES = 10, PADDING = 4 };
static const double least_area = 0.08, least_aspect = 3.0 / 4.0, most_aspect = 4.0 / 3.0;

static image_region middle(int width, int height) {
    const double aspect = (double)width / height;
    int wide = width, high = height;
    if (aspect < least_aspect) high = (int)rint(width / least_aspect);
    if (aspect > most_aspect) wide = (int)rint(height * most_aspect);
    return (image_region){.left = (width - wide) / 2, .top = (height - high) / 2, .width = wide, .height = high};
}

image_region augment_crop_draw(augment_random *random, int width, int height) {
    for (int i = 0; i < TRIES; i++) {
        const double area = augment_between(random, least_area, 1) * width * height;
        const double aspect = exp(augment_between(random, log(least_aspect), log(most_aspect)));
        const double wide = rint(sqrt(area * aspect)), high = rint(sqrt(area / aspect));
        if (!(wide >= 1 && wide <= width && high >= 1 && high <= height)) continue;
        image_region crop = {.width = (int)wide, .height = (int)high};
        crop.top = augment_integer(random, 0, height - crop.height);
        crop.left = augment_integer(random, 0, width - crop.width);
        return crop;
    }
    return middle(width, height);
}

int augment_shift(image *io, image *scratch, augment_random *random) {
    const int width = io->width, height = io->height;
    const int down = augment_integer(random, -PADDING, PADDING), right = augment_integer(random, -PADDING, PADDING);
    const size_t row = (size_t)width * IMAGE_CHANNELS;
    const int result = image_reserve(scratch, width, height);
    if (result != 0) return result;
    memset(scratch->pixels, 0, row * (size_t)height);
    const int first = right > 0 ? right : 0, kept = width - (right > 0 ? right : -right);
    for (int y = 0; y < height && kept > 0; y++) {
        if (y - down < 0 || y - down >= height) continue;
        const uint8_t *from = io->pixels + (size_t)(y - down) * row + (size_t)(first - right) * IMAGE_CHANNELS;
        memcpy(scratch->pixels + (size_t)y * row + (size_t)first * IMAGE_CHANNELS, from, (size_t)kept * IMAGE_CHANNELS);
    }
    const image was = *io;
    *io = *scratch;
    *scratch = was;
    return 0;
}

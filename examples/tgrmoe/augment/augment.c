/* SPDX-License-Identifier: MIT */
/* The order of operations on one image; each draws from the image's own stream of random numbers. */
#include "augment/augment.h"

#include <math.h>
#include <string.h>

#include "augment/affine.h"
#include "augment/crop.h"
#include "augment/enhance.h"
#include "augment/policy.h"
#include "failure.h"

static int copy_image(image *out, const image *in) {
    const int result = image_reserve(out, in->width, in->height);
    if (result != 0) return result;
    memcpy(out->pixels, in->pixels, (size_t)in->width * (size_t)in->height * IMAGE_CHANNELS);
    return 0;
}

static int crop(image *out, const image *in, const augment_recipe *recipe, int size, augment_random *random,
                augment_scratch *scratch) {
    if (recipe->crop == AUGMENT_CROP_RESIZED) {
        const image_region part = augment_crop_draw(random, in->width, in->height);
        return image_resize(&scratch->memory, in, &part, size, size, augment_interpolation(recipe, random), NULL, out);
    }
    if (in->width != size || in->height != size) {
        return fail_with("an image of %d x %d pixels cannot be augmented to %d x %d without a resized crop", in->width,
                         in->height, size, size);
    }
    const int result = copy_image(out, in);
    if (result != 0 || recipe->crop == AUGMENT_CROP_NONE) return result;
    return augment_shift(out, &scratch->other, random);
}

/* Brightness, contrast and saturation in random order. */
static void jitter(image *io, double most, augment_random *random) {
    static void (*const changes[])(image *, float) = {augment_brightness, augment_contrast, augment_color};
    enum { CHANGES = sizeof changes / sizeof *changes };
    int order[CHANGES] = {0, 1, 2};
    for (int i = CHANGES - 1; i > 0; i--) {
        const int other = augment_integer(random, 0, i), kept = order[i];
        order[i] = order[other];
        order[other] = kept;
    }
    for (int i = 0; i < CHANGES; i++) {
        changes[order[i]](io, (float)augment_between(random, fmax(0, 1 - most), 1 + most));
    }
}

int augment_image(image *out, const image *in, const augment_recipe *recipe, int size, augment_key key,
                  augment_scratch *scratch) {
    int result = 0;
    augment_random random = augment_random_start(key, AUGMENT_IMAGE);
    TRY(crop(out, in, recipe, size, &random, scratch));
    if (recipe->flip && augment_uniform(&random) < 0.5) augment_flip(out);
    TRY(augment_policy_apply(out, &scratch->other, recipe, &random));
    if (recipe->jitter > 0) jitter(out, recipe->jitter, &random);
done:
    return result;
}

void augment_scratch_free(augment_scratch *scratch) {
    image_free(&scratch->other);
    resizer_free(&scratch->memory);
}

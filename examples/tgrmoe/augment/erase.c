/* SPDX-License-Identifier: MIT */
/* Random erasing (Zhong et al., AAAI 2020), as timm does it with mode "pixel" and one rectangle. */
#include "augment/erase.h"

#include <math.h>

enum { TRIES = 10 };
static const double least_area = 0.02, most_area = 1.0 / 3, least_aspect = 0.3;

int augment_erase_draw(augment_random *random, int width, int height, image_region *out) {
    const double widest = log(1 / least_aspect);
    for (int i = 0; i < TRIES; i++) {
        const double area = augment_between(random, least_area, most_area) * width * height;
        const double aspect = exp(augment_between(random, -widest, widest));
        const double high = rint(sqrt(area * aspect)), wide = rint(sqrt(area / aspect));
        if (!(wide < width && high < height)) continue;
        *out = (image_region){.width = (int)wide, .height = (int)high};
        out->top = augment_integer(random, 0, height - out->height);
        out->left = augment_integer(random, 0, width - out->width);
        return 1;
    }
    return 0;
}

void augment_erase(float *pixels, int channels, int height, int width, const augment_recipe *recipe, augment_key key) {
    augment_random random = augment_random_start(key, AUGMENT_ERASE);
    image_region part;
    if (!(augment_uniform(&random) < recipe->erase)) return;
    if (!augment_erase_draw(&random, width, height, &part)) return;
    for (int channel = 0; channel < channels; channel++) {
        for (int y = part.top; y < part.top + part.height; y++) {
            float *row = pixels + ((int64_t)channel * height + y) * width;
            for (int x = part.left; x < part.left + part.width; x++) row[x] = (float)augment_normal(&random);
        }
    }
}

/* SPDX-License-Identifier: MIT */
/* Questions about a recipe. */
#include "augment/recipe.h"

interpolation augment_interpolation(const augment_recipe *recipe, augment_random *random) {
    if (recipe->interpolation != AUGMENT_INTERPOLATION_RANDOM) return (interpolation)recipe->interpolation;
    return augment_integer(random, 0, 1) ? INTERPOLATION_BICUBIC : INTERPOLATION_BILINEAR;
}

int augment_changes(const augment_recipe *recipe) {
    return recipe->crop != AUGMENT_CROP_NONE || recipe->flip || recipe->layers > 0 || recipe->jitter > 0 ||
           recipe->erase > 0 || recipe->mixup > 0 || recipe->cutmix > 0;
}

int augment_recipe_same(const augment_recipe *a, const augment_recipe *b) {
    int same = a->crop == b->crop && a->flip == b->flip && a->interpolation == b->interpolation;
    same = same && a->layers == b->layers && a->increasing == b->increasing && a->magnitude == b->magnitude;
    same = same && a->magnitude_noise == b->magnitude_noise && a->strongest == b->strongest;
    same = same && a->probability == b->probability && a->jitter == b->jitter && a->erase == b->erase;
    same = same && a->mixup == b->mixup && a->cutmix == b->cutmix;
    for (int i = 0; i < IMAGE_CHANNELS; i++) same = same && a->fill[i] == b->fill[i];
    return same;
}

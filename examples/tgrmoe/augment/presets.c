/* SPDX-License-Identifier: MIT */
/* A table of recipes and one of numbers. */
#include "augment/presets.h"

#include <string.h>

#include "augment/notation.h"

typedef struct preset {
    const char *name, *policy;
    int crop_flip;
    double erase, mixup, cutmix, smoothing;
} preset;

/* "deit" is the recipe of DeiT (Touvron et al., ICML 2021). */
static const preset presets[] = {
    {"none", "none", 0, 0, 0, 0, 0},
    {"crop-flip", "none", 1, 0, 0, 0, 0},
    {"deit", "m9-mstd0.5-inc1", 1, 0.25, 0.8, 1, 0.1},
};

enum { PRESETS = sizeof presets / sizeof *presets };

const augment_number augment_numbers[AUGMENT_NUMBERS] = {
    {"color-jitter", offsetof(augment_recipe, jitter), 10},
    {"erase", offsetof(augment_recipe, erase), 1},
    {"mixup", offsetof(augment_recipe, mixup), 1000},
    {"cutmix", offsetof(augment_recipe, cutmix), 1000},
};

double *augment_number_in(augment_recipe *recipe, const augment_number *number) {
    void *place = (char *)recipe + number->field;
    return place;
}

static const preset *find(const char *name) {
    for (int i = 0; name && i < PRESETS; i++) {
        if (strcmp(presets[i].name, name) == 0) return &presets[i];
    }
    return name ? NULL : &presets[0];
}

int augment_preset(augment_recipe *out, const char *name, int small) {
    augment_recipe recipe = {.interpolation = INTERPOLATION_BICUBIC};
    const preset *named = find(name);
    if (!named || augment_policy_read(&recipe, named->policy) != 0) return 0;
    if (named->crop_flip) recipe.crop = small ? AUGMENT_CROP_PADDED : AUGMENT_CROP_RESIZED;
    recipe.flip = named->crop_flip;
    recipe.erase = named->erase;
    recipe.mixup = named->mixup;
    recipe.cutmix = named->cutmix;
    *out = recipe;
    return 1;
}

double augment_preset_smoothing(const char *name) {
    const preset *named = find(name);
    return named ? named->smoothing : 0;
}

int augment_recipe_valid(const augment_recipe *recipe) {
    augment_recipe copy = *recipe;
    int valid = recipe->crop >= AUGMENT_CROP_NONE && recipe->crop <= AUGMENT_CROP_PADDED;
    valid = valid && recipe->flip >= 0 && recipe->flip <= 1 && recipe->increasing >= 0 && recipe->increasing <= 1;
    valid = valid && recipe->interpolation == INTERPOLATION_BICUBIC && augment_policy_valid(recipe);
    for (int i = 0; i < AUGMENT_NUMBERS; i++) {
        const double value = *augment_number_in(&copy, &augment_numbers[i]);
        valid = valid && value >= 0 && value <= augment_numbers[i].most;
    }
    for (int i = 0; i < IMAGE_CHANNELS; i++) valid = valid && recipe->fill[i] >= 0 && recipe->fill[i] <= 255;
    return valid;
}

/* SPDX-License-Identifier: MIT */
/* Named recipes, and the flags that change one of their numbers. */
#include "run/augmentation.h"

#include <math.h>
#include <stddef.h>
#include <string.h>

#include "augment/policy.h"
#include "failure.h"

typedef struct named_recipe {
    const char *name, *policy;
    int crop_flip;
    double erase, mixup, cutmix, smoothing;
} named_recipe;

/* "deit" is the recipe of DeiT (Touvron et al., ICML 2021). */
static const named_recipe recipes[] = {
    {"none", "none", 0, 0, 0, 0, 0},
    {"crop-flip", "none", 1, 0, 0, 0, 0},
    {"deit", "m9-mstd0.5-inc1", 1, 0.25, 0.8, 1, 0.1},
};

typedef struct recipe_number {
    const char *flag;
    size_t argument, field; /* where they are */
    double most;
} recipe_number;

static const recipe_number numbers[] = {
    {"color-jitter", offsetof(tool_arguments, jitter), offsetof(augment_recipe, jitter), 10},
    {"erase", offsetof(tool_arguments, erase), offsetof(augment_recipe, erase), 1},
    {"mixup", offsetof(tool_arguments, mixup), offsetof(augment_recipe, mixup), 1000},
    {"cutmix", offsetof(tool_arguments, cutmix), offsetof(augment_recipe, cutmix), 1000},
};

enum { RECIPES = sizeof recipes / sizeof *recipes, NUMBERS = sizeof numbers / sizeof *numbers };

static const char *given_number(const tool_arguments *arguments, const recipe_number *number) {
    const void *place = (const char *)arguments + number->argument;
    return *(const char *const *)place;
}

static double *field_of(augment_recipe *recipe, const recipe_number *number) {
    void *place = (char *)recipe + number->field;
    return place;
}

static const named_recipe *find_recipe(const char *name) {
    for (int i = 0; name && i < RECIPES; i++) {
        if (strcmp(recipes[i].name, name) == 0) return &recipes[i];
    }
    return name ? NULL : &recipes[0];
}

static int read_number(augment_recipe *out, const recipe_number *number, const char *text) {
    double value = 0;
    const int result = text ? arguments_numbers(number->flag, text, 1, &value) : 0;
    if (!text || result != 0) return result;
    if (!(value >= 0 && value <= number->most)) {
        return fail_usage("--%s is %s; 0 to %g is allowed", number->flag, text, number->most);
    }
    *field_of(out, number) = value;
    return 0;
}

double augment_label_smoothing(const tool_arguments *arguments) {
    const named_recipe *named = find_recipe(arguments->augment);
    return named ? named->smoothing : 0;
}

int augment_options_given(const tool_arguments *arguments) {
    int given = arguments->augment || arguments->randaugment;
    for (int i = 0; i < NUMBERS; i++) given |= given_number(arguments, &numbers[i]) != NULL;
    return given;
}

int augment_changes(const augment_recipe *recipe) {
    return recipe->crop != AUGMENT_CROP_NONE || recipe->flip || recipe->layers > 0 || recipe->jitter > 0 ||
           recipe->erase > 0 || recipe->mixup > 0 || recipe->cutmix > 0;
}

int augment_options_read(augment_recipe *out, const tool_arguments *arguments, int small, const double *mean,
                         int64_t channels) {
    int result = 0;
    augment_recipe recipe = {.interpolation = INTERPOLATION_BICUBIC};
    const named_recipe *named = find_recipe(arguments->augment);
    if (!named) TRY(fail_usage("--augment is '%s'; none, crop-flip or deit is needed", arguments->augment));
    if (named->crop_flip) recipe.crop = small ? AUGMENT_CROP_PADDED : AUGMENT_CROP_RESIZED;
    recipe.flip = named->crop_flip;
    recipe.erase = named->erase;
    recipe.mixup = named->mixup;
    recipe.cutmix = named->cutmix;
    TRY(augment_policy_read(&recipe, arguments->randaugment ? arguments->randaugment : named->policy));
    for (int i = 0; i < NUMBERS; i++) TRY(read_number(&recipe, &numbers[i], given_number(arguments, &numbers[i])));
    for (int i = 0; i < IMAGE_CHANNELS; i++) {
        recipe.fill[i] = (int64_t)fmax(0, fmin(255, rint(255 * mean[i < channels ? i : 0])));
    }
    *out = recipe;
done:
    return result;
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

int augment_recipe_valid(const augment_recipe *recipe) {
    augment_recipe copy = *recipe;
    int valid = recipe->crop >= AUGMENT_CROP_NONE && recipe->crop <= AUGMENT_CROP_PADDED;
    valid = valid && recipe->flip >= 0 && recipe->flip <= 1 && recipe->increasing >= 0 && recipe->increasing <= 1;
    valid = valid && recipe->interpolation == INTERPOLATION_BICUBIC && augment_policy_valid(recipe);
    for (int i = 0; i < NUMBERS; i++) {
        const double value = *field_of(&copy, &numbers[i]);
        valid = valid && value >= 0 && value <= numbers[i].most;
    }
    for (int i = 0; i < IMAGE_CHANNELS; i++) valid = valid && recipe->fill[i] >= 0 && recipe->fill[i] <= 255;
    return valid;
}

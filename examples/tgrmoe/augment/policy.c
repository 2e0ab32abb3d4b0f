/* SPDX-License-Identifier: MIT */
/* One table of operations: how a magnitude becomes an argument, and the function that takes it. */
#include "augment/policy.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "augment/enhance.h"
#include "augment/point.h"
#include "failure.h"

enum { NOISE_IS_UNIFORM = 100 }; /* a deviation above this */

typedef double (*argument_of)(double magnitude, int negate);
typedef int (*operation_on)(image *io, image *scratch, const affine_style *style, double argument);

static double no_argument(double magnitude, int negate) {
    (void)magnitude, (void)negate;
    return 0;
}

static double signed_share(double magnitude, int negate, double most) {
    const double argument = magnitude / 10 * most;
    return negate ? -argument : argument;
}

static double rotation(double magnitude, int negate) {
    return signed_share(magnitude, negate, 30);
}

static double shear(double magnitude, int negate) {
    return signed_share(magnitude, negate, 0.3);
}

static double translation(double magnitude, int negate) {
    return signed_share(magnitude, negate, 0.45);
}

static double bits(double magnitude, int negate) {
    (void)negate;
    return (int)(magnitude / 10 * 4);
}

static double bits_increasing(double magnitude, int negate) {
    return fmax(0, 4 - bits(magnitude, negate));
}

static double threshold(double magnitude, int negate) {
    (void)negate;
    return fmin(256, (int)(magnitude / 10 * 256));
}

static double threshold_increasing(double magnitude, int negate) {
    return 256 - threshold(magnitude, negate);
}

static double addend(double magnitude, int negate) {
    (void)negate;
    return fmin(128, (int)(magnitude / 10 * 110));
}

static double factor(double magnitude, int negate) {
    (void)negate;
    return magnitude / 10 * 1.8 + 0.1;
}

static double factor_increasing(double magnitude, int negate) {
    return fmax(0.1, 1 + signed_share(magnitude, negate, 0.9));
}

static int autocontrast(image *io, image *scratch, const affine_style *style, double argument) {
    (void)scratch, (void)style, (void)argument;
    augment_autocontrast(io);
    return 0;
}

static int equalize(image *io, image *scratch, const affine_style *style, double argument) {
    (void)scratch, (void)style, (void)argument;
    augment_equalize(io);
    return 0;
}

static int invert(image *io, image *scratch, const affine_style *style, double argument) {
    (void)scratch, (void)style, (void)argument;
    augment_invert(io);
    return 0;
}

static int posterize(image *io, image *scratch, const affine_style *style, double argument) {
    (void)scratch, (void)style;
    augment_posterize(io, (int)argument);
    return 0;
}

static int solarize(image *io, image *scratch, const affine_style *style, double argument) {
    (void)scratch, (void)style;
    augment_solarize(io, (int)argument);
    return 0;
}

static int solarize_add(image *io, image *scratch, const affine_style *style, double argument) {
    (void)scratch, (void)style;
    augment_solarize_add(io, (int)argument);
    return 0;
}

static int color(image *io, image *scratch, const affine_style *style, double argument) {
    (void)scratch, (void)style;
    augment_color(io, (float)argument);
    return 0;
}

static int contrast(image *io, image *scratch, const affine_style *style, double argument) {
    (void)scratch, (void)style;
    augment_contrast(io, (float)argument);
    return 0;
}

static int brightness(image *io, image *scratch, const affine_style *style, double argument) {
    (void)scratch, (void)style;
    augment_brightness(io, (float)argument);
    return 0;
}

static int sharpness(image *io, image *scratch, const affine_style *style, double argument) {
    (void)style;
    return augment_sharpness(io, scratch, (float)argument);
}

static const struct {
    const char *name;
    argument_of argument, increasing;
    operation_on apply;
} operations[AUGMENT_OPERATIONS] = {
    {"AutoContrast", no_argument, no_argument, autocontrast},
    {"Equalize", no_argument, no_argument, equalize},
    {"Invert", no_argument, no_argument, invert},
    {"Rotate", rotation, rotation, augment_rotate},
    {"Posterize", bits, bits_increasing, posterize},
    {"Solarize", threshold, threshold_increasing, solarize},
    {"SolarizeAdd", addend, addend, solarize_add},
    {"Color", factor, factor_increasing, color},
    {"Contrast", factor, factor_increasing, contrast},
    {"Brightness", factor, factor_increasing, brightness},
    {"Sharpness", factor, factor_increasing, sharpness},
    {"ShearX", shear, shear, augment_shear_x},
    {"ShearY", shear, shear, augment_shear_y},
    {"TranslateXRel", translation, translation, augment_translate_x},
    {"TranslateYRel", translation, translation, augment_translate_y},
};

const char *augment_operation_name(int operation) {
    return operations[operation].name;
}

double augment_operation_argument(int operation, int increasing, double magnitude, int negate) {
    return (increasing ? operations[operation].increasing : operations[operation].argument)(magnitude, negate);
}

int augment_operation_apply(int operation, image *io, image *scratch, const affine_style *style, double argument) {
    return operations[operation].apply(io, scratch, style, argument);
}

static double draw_magnitude(const augment_recipe *recipe, augment_random *random) {
    double magnitude = recipe->magnitude;
    if (recipe->magnitude_noise > NOISE_IS_UNIFORM) {
        magnitude = augment_between(random, 0, magnitude);
    } else if (recipe->magnitude_noise > 0) {
        magnitude += recipe->magnitude_noise * augment_normal(random);
    }
    return fmax(0, fmin(magnitude, recipe->strongest));
}

augment_choice augment_policy_choose(const augment_recipe *recipe, augment_random *random) {
    augment_choice choice = {.operation = augment_integer(random, 0, AUGMENT_OPERATIONS - 1)};
    if (augment_uniform(random) > recipe->probability) return (augment_choice){.operation = -1};
    const double magnitude = draw_magnitude(recipe, random);
    const int negate = augment_integer(random, 0, 1);
    choice.argument = augment_operation_argument(choice.operation, recipe->increasing != 0, magnitude, negate);
    choice.how = augment_interpolation(recipe, random);
    return choice;
}

int augment_policy_apply(image *io, image *scratch, const augment_recipe *recipe, augment_random *random) {
    int result = 0;
    for (int64_t layer = 0; layer < recipe->layers; layer++) {
        const augment_choice choice = augment_policy_choose(recipe, random);
        affine_style style = {.how = choice.how};
        if (choice.operation < 0) continue;
        for (int i = 0; i < IMAGE_CHANNELS; i++) style.fill[i] = (uint8_t)recipe->fill[i];
        TRY(augment_operation_apply(choice.operation, io, scratch, &style, choice.argument));
    }
done:
    return result;
}

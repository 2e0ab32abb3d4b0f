/* SPDX-License-Identifier: MIT */
/* Recipes by name, the numbers that may be changed in them, and which recipes there can be. */
#ifndef TOOL_AUGMENT_PRESETS_H
#define TOOL_AUGMENT_PRESETS_H

#include <stddef.h>

#include "augment/recipe.h"

/* The recipe of that name, but for its fill, or NULL's, which does nothing. `small`: images are shifted, not cropped
 * and resized. 0 when there is none of that name. */
int augment_preset(augment_recipe *out, const char *name, int small);
/* How the recipe of that name smooths labels: the share, 0 for none. */
double augment_preset_smoothing(const char *name);

/* A number of a recipe that may be anything from 0 to `most`. */
typedef struct augment_number {
    const char *name;
    size_t field; /* where it is */
    double most;
} augment_number;
enum { AUGMENT_NUMBERS = 4 };
extern const augment_number augment_numbers[AUGMENT_NUMBERS];
double *augment_number_in(augment_recipe *recipe, const augment_number *number);

/* Whether a recipe from a file is one that could have been made. */
int augment_recipe_valid(const augment_recipe *recipe);

#endif

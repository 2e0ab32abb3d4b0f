/* SPDX-License-Identifier: MIT */
/* Recipes by name, their numbers that can be set one by one, and which recipes are valid. */
#ifndef TOOL_AUGMENT_PRESETS_H
#define TOOL_AUGMENT_PRESETS_H

#include <stddef.h>

#include "augment/recipe.h"

/* The recipe of that name, except for its fill; NULL is the recipe that does nothing. `small`: images are shifted, not
 * cropped and resized. Returns 0 if there is none of that name. */
int augment_preset(augment_recipe *out, const char *name, int small);
/* By how much the recipe of that name smooths labels; 0 for not at all. */
double augment_preset_smoothing(const char *name);

/* A number of a recipe, from 0 to `most`. */
typedef struct augment_number {
    const char *name;
    size_t field; /* its offset */
    double most;
} augment_number;
enum { AUGMENT_NUMBERS = 4 };
extern const augment_number augment_numbers[AUGMENT_NUMBERS];
double *augment_number_in(augment_recipe *recipe, const augment_number *number);

/* Whether a recipe from a file is one that could have been made. */
int augment_recipe_valid(const augment_recipe *recipe);

#endif

/* SPDX-License-Identifier: MIT */
/* RandAugment (Cubuk et al., 2020) with timm's operations and their strengths. */
#ifndef TOOL_AUGMENT_POLICY_H
#define TOOL_AUGMENT_POLICY_H

#include "augment/affine.h"
#include "augment/random.h"
#include "augment/recipe.h"

enum { AUGMENT_OPERATIONS = 15 };

/* The name of operation 0 … 14: "AutoContrast", "Rotate" … */
const char *augment_operation_name(int operation);
/* The argument at a magnitude of 0 to 10 (or more, if the recipe's `strongest` is): degrees, bits, a threshold, a
 * factor … `negate` flips the sign of operations that have two directions. */
double augment_operation_argument(int operation, int increasing, double magnitude, int negate);
int augment_operation_apply(int operation, image *io, image *scratch, const affine_style *style, double argument);

/* One layer of RandAugment. */
typedef struct augment_choice {
    int operation; /* -1: none */
    double argument;
    interpolation how;
} augment_choice;

/* Draws an operation, whether it is applied, its magnitude and its direction. */
augment_choice augment_policy_choose(const augment_recipe *recipe, augment_random *random);
/* Applies recipe->layers of them, in place. */
int augment_policy_apply(image *io, image *scratch, const augment_recipe *recipe, augment_random *random);
#endif

/* SPDX-License-Identifier: MIT */
/* timm's notation of a RandAugment policy, "m9-mstd0.5-inc1". */
#ifndef TOOL_AUGMENT_NOTATION_H
#define TOOL_AUGMENT_NOTATION_H

#include "augment/recipe.h"

/* Parses timm's notation, such as "m9-mstd0.5-inc1" (optionally after "rand-"), or "none". */
int augment_policy_read(augment_recipe *recipe, const char *text);
/* Whether the recipe's policy is one that could have been parsed. */
int augment_policy_valid(const augment_recipe *recipe);

#endif

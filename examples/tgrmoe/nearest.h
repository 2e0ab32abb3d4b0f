/* SPDX-License-Identifier: MIT */
/* The name that a misspelt one is nearest to, if one is near enough to be meant. */
#ifndef TOOL_NEAREST_H
#define TOOL_NEAREST_H

#include <stddef.h>

enum { NEAREST_TEXT = 80 };

typedef struct nearest_name {
    const char *text; /* as it was written, [length] */
    size_t length;
    const char *name; /* NULL while none is near */
    size_t distance;
} nearest_name;

void nearest_offer(nearest_name *nearest, const char *name);
/* "; did you mean --name?", with `dashes` for "--", or "" while none is near. */
const char *nearest_hint(const nearest_name *nearest, const char *dashes, char hint[NEAREST_TEXT]);

#endif

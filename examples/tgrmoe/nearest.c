/* SPDX-License-Identifier: MIT */
/* How many letters must be replaced, left out, put in, or swapped with their neighbour. */
#include "nearest.h"

#include <stdio.h>
#include <string.h>

enum { LONGEST = 24 };

static size_t smallest(size_t a, size_t b, size_t c) {
    const size_t least = a < b ? a : b;
    return least < c ? least : c;
}

static size_t distance(const char *a, size_t a_length, const char *b, size_t b_length) {
    size_t rows[LONGEST + 1][LONGEST + 1];
    for (size_t i = 0; i <= a_length; i++) {
        for (size_t j = 0; j <= b_length; j++) {
            rows[i][j] = i + j;
            if (i == 0 || j == 0) continue;
            rows[i][j] = smallest(rows[i - 1][j - 1] + (a[i - 1] != b[j - 1]), rows[i - 1][j] + 1, rows[i][j - 1] + 1);
            const int swapped = i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1];
            if (swapped && rows[i - 2][j - 2] + 1 < rows[i][j]) rows[i][j] = rows[i - 2][j - 2] + 1;
        }
    }
    return rows[a_length][b_length];
}

void nearest_offer(nearest_name *nearest, const char *name) {
    if (nearest->length > LONGEST || strlen(name) > LONGEST) return;
    const size_t away = distance(nearest->text, nearest->length, name, strlen(name));
    if (away > (nearest->length + 1) / 3 || (nearest->name && away >= nearest->distance)) return;
    nearest->name = name;
    nearest->distance = away;
}

const char *nearest_hint(const nearest_name *nearest, const char *dashes, char hint[NEAREST_TEXT]) {
    hint[0] = '\0';
    if (nearest->name) snprintf(hint, NEAREST_TEXT, "; did you mean %s%s?", dashes, nearest->name);
    return hint;
}

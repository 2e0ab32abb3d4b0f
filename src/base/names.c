/* SPDX-License-Identifier: MIT */
/* Lists of names, and the distance between two: how many letters must be replaced, deleted, inserted, or swapped with
 * their neighbour (optimal string alignment). */
#include "base/names.h"

#include <stdio.h>
#include <string.h>

/* No key or choice is longer; a longer text is not one. */
#define NAME_MOST 40

int64_t tgr_names_find(const char *names, const char *name) {
    const size_t length = strlen(name);
    for (int64_t index = 0; *names; index++) {
        const size_t size = strcspn(names, "|");
        if (size == length && memcmp(names, name, size) == 0) return index;
        names += size + (names[size] == '|');
    }
    return -1;
}

const char *tgr_names_at(const char *names, int64_t index, size_t *length) {
    for (; index > 0; index--) names = strchr(names, '|') + 1;
    *length = strcspn(names, "|");
    return names;
}

static size_t least_of(size_t a, size_t b) {
    return a < b ? a : b;
}

/* Both at most NAME_MOST long. */
static size_t distance(const char *a, size_t a_length, const char *b, size_t b_length) {
    size_t rows[3]
               [NAME_MOST + 1]; /* row i: from the first i letters of a to the first j of b; three rows, used in turn */
    for (size_t j = 0; j <= b_length; j++) rows[0][j] = j;
    for (size_t i = 1; i <= a_length; i++) {
        size_t *row = rows[i % 3];
        const size_t *above = rows[(i - 1) % 3], *two_above = rows[(i + 1) % 3];
        row[0] = i;
        for (size_t j = 1; j <= b_length; j++) {
            row[j] = least_of(above[j - 1] + (a[i - 1] != b[j - 1]), least_of(above[j], row[j - 1]) + 1);
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                row[j] = least_of(row[j], two_above[j - 2] + 1);
        }
    }
    return rows[a_length % 3][b_length];
}

void tgr_nearest_offer(tgr_nearest *nearest, const char *name, size_t length) {
    const size_t given = strlen(nearest->text);
    if (given > NAME_MOST || length > NAME_MOST) return;
    const size_t away = distance(nearest->text, given, name, length);
    if (away > (given + 1) / 3 || (nearest->name != NULL && away >= nearest->distance)) return;
    nearest->name = name;
    nearest->length = length;
    nearest->distance = away;
}

void tgr_nearest_offer_all(tgr_nearest *nearest, const char *names) {
    while (*names) {
        const size_t size = strcspn(names, "|");
        tgr_nearest_offer(nearest, names, size);
        names += size + (names[size] == '|');
    }
}

const char *tgr_nearest_hint(const tgr_nearest *nearest, char hint[TGR_HINT_BYTES]) {
    hint[0] = '\0';
    if (nearest->name != NULL)
        snprintf(hint, TGR_HINT_BYTES, "; did you mean '%.*s'?", (int)nearest->length, nearest->name);
    return hint;
}

/* SPDX-License-Identifier: MIT */
/* Lookup in the table of timm's names. */
#include "models/timm.h"

#include <stdio.h>
#include <string.h>

#include "failure.h"
#include "models/timm_names.h"

enum { TAGS_SIZE = 512 };

/* Whether the table's name is `name`, or `name` with a tag. */
static int is_called(const char *known, const char *name) {
    const size_t length = strlen(name);
    return strncmp(known, name, length) == 0 && (known[length] == '\0' || known[length] == '.');
}

static void add_tag(char tags[TAGS_SIZE], const char *name) {
    const size_t used = strlen(tags);
    snprintf(tags + used, TAGS_SIZE - used, "%s%s", used > 0 ? ", " : "", name);
}

int timm_preprocessing(preprocessing *out, const char *name) {
    char tags[TAGS_SIZE] = "";
    const timm_name *found = NULL;
    int differ = 0;
    for (int i = 0; i < timm_name_count; i++) {
        const timm_name *row = &timm_names[i];
        if (!is_called(row->name, name)) continue;
        if (found) differ |= !preprocessing_equal(&found->how, &row->how);
        if (!found) found = row;
        add_tag(tags, row->name);
    }
    if (!found) return fail_usage("--timm: '%s' is no pretrained model of timm that can be imported", name);
    if (differ) return fail_usage("--timm: '%s' is prepared for in several ways; give one of %s", name, tags);
    const int64_t upright = out->upright; /* timm leaves photographs as they are stored, whatever they are of */
    *out = found->how;
    out->upright = upright;
    return 0;
}

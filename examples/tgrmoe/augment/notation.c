/* SPDX-License-Identifier: MIT */
/* Parts separated by dashes, each a name and a number. */
#include "augment/notation.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "failure.h"

typedef struct policy_part {
    const char *name;
    double least, most;
    int whole;
    double standard;
} policy_part;

enum {
    POLICY_MAGNITUDE,
    POLICY_NOISE,
    POLICY_STRONGEST,
    POLICY_LAYERS,
    POLICY_PROBABILITY,
    POLICY_INCREASING,
    POLICY_PARTS
};

static const policy_part parts[POLICY_PARTS] = {{"m", 0, 30, 0, 10}, {"mstd", 0, 1e6, 0, 0}, {"mmax", 0, 30, 0, 10},
                                                {"n", 1, 15, 1, 2},  {"p", 0, 1, 0, 0.5},    {"inc", 0, 1, 1, 0}};

static int is_allowed(const policy_part *part, double value) {
    return value >= part->least && value <= part->most && (!part->whole || value == floor(value));
}

/* One part, such as "mstd0.5", up to a dash or the end. */
static int read_part(const char *text, size_t length, double values[POLICY_PARTS]) {
    const size_t name = strcspn(text, "0123456789.-");
    for (int i = 0; i < POLICY_PARTS; i++) {
        char *end = NULL;
        if (strlen(parts[i].name) != name || memcmp(text, parts[i].name, name) != 0) continue;
        const double value = strtod(text + name, &end);
        if (end == text + name || end != text + length || !is_allowed(&parts[i], value)) break;
        values[i] = value;
        return 0;
    }
    return fail_usage("'%.*s' is not understood; write, for example, m9-mstd0.5-inc1, or none", (int)length, text);
}

int augment_policy_read(augment_recipe *recipe, const char *text) {
    int result = 0;
    double values[POLICY_PARTS];
    for (int i = 0; i < POLICY_PARTS; i++) values[i] = parts[i].standard;
    if (strcmp(text, "none") == 0) {
        values[POLICY_LAYERS] = 0;
    } else {
        const char *at = strncmp(text, "rand-", 5) == 0 ? text + 5 : text;
        for (;;) {
            const size_t length = strcspn(at, "-");
            TRY(read_part(at, length, values));
            if (at[length] == '\0') break;
            at += length + 1;
        }
    }
    recipe->magnitude = values[POLICY_MAGNITUDE];
    recipe->magnitude_noise = values[POLICY_NOISE];
    recipe->strongest = values[POLICY_STRONGEST];
    recipe->layers = (int64_t)values[POLICY_LAYERS];
    recipe->probability = values[POLICY_PROBABILITY];
    recipe->increasing = values[POLICY_INCREASING] != 0;
done:
    return result;
}

int augment_policy_valid(const augment_recipe *recipe) {
    return is_allowed(&parts[POLICY_MAGNITUDE], recipe->magnitude) &&
           is_allowed(&parts[POLICY_NOISE], recipe->magnitude_noise) &&
           is_allowed(&parts[POLICY_STRONGEST], recipe->strongest) &&
           (recipe->layers == 0 || is_allowed(&parts[POLICY_LAYERS], (double)recipe->layers)) &&
           is_allowed(&parts[POLICY_PROBABILITY], recipe->probability);
}

/* SPDX-License-Identifier: MIT */
/* Names of methods, listed. */
#include "uses.h"

#include <stdio.h>
#include <string.h>

const char *uses_of(tgr_option option, const char *between, char text[USES_TEXT]) {
    tgr_option_description row = {.struct_size = sizeof row};
    text[0] = '\0';
    if (tgr_option_describe(option, &row) != TGR_OK || !*row.trait) return text;
    for (int64_t i = 0; i < tgr_method_count(); i++) {
        tgr_method_description method = {.struct_size = sizeof method};
        const size_t used = strlen(text);
        if (!tgr_method_uses_option(i, option) || tgr_method_describe(i, &method) != TGR_OK) continue;
        snprintf(text + used, USES_TEXT - used, "%s%s", used ? between : "", method.name);
    }
    return text;
}

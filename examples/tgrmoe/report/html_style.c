/* SPDX-License-Identifier: MIT */
/* Seven colours, then the same dashed, then dotted. */
#include "report/html_style.h"

#include <string.h>

void html_style_class(FILE *to, int style_number) {
    static const char *const dashes[] = {"", " dash", " dots"};
    fprintf(to, "s%d%s", style_number % HTML_COLOURS, dashes[style_number / HTML_COLOURS % 3]);
}

void html_style_sample(FILE *to, int style_number) {
    fputs("<svg class=\"sample\" viewBox=\"0 0 24 10\" aria-hidden=\"true\"><path class=\"curve ", to);
    html_style_class(to, style_number);
    fputs("\" d=\"M0 5h24\"/></svg>", to);
}

int html_method_style(const comparison *compared, const char *method) {
    for (int i = 0; i < compared->row_count; i++) {
        if (compared->rows[i].section == compare_methods && strcmp(compared->rows[i].method, method) == 0) return i;
    }
    for (int i = 0; i < compared->row_count; i++) {
        if (strcmp(compared->rows[i].method, method) == 0) return i; /* only in a sweep */
    }
    return compared->row_count;
}

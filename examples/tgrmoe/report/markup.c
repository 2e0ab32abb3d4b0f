/* SPDX-License-Identifier: MIT */
/* Replaces the characters that HTML and SVG reserve. */
#include "report/markup.h"

void markup_text(FILE *to, const char *text) {
    for (; *text; text++) {
        switch (*text) {
            case '&':
                fputs("&amp;", to);
                break;
            case '<':
                fputs("&lt;", to);
                break;
            case '>':
                fputs("&gt;", to);
                break;
            case '"':
                fputs("&quot;", to);
                break;
            default:
                fputc(*text, to);
        }
    }
}

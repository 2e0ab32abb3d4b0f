/* SPDX-License-Identifier: MIT */
/* Colours and dashes of curves. A style is a number; the same thing has the same style everywhere on a page. */
#ifndef TOOL_REPORT_HTML_STYLE_H
#define TOOL_REPORT_HTML_STYLE_H

#include <stdio.h>

#include "report/comparison.h"

enum { HTML_COLOURS = 7 };

/* Writes the CSS class of a style, or the sample of it that legends and tables show. */
void html_style_class(FILE *to, int style);
void html_style_sample(FILE *to, int style);
/* The style of a method. */
int html_method_style(const comparison *compared, const char *method);

#endif

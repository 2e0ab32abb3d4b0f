/* SPDX-License-Identifier: MIT */
/* Colours and dashes: a style is a number, the same for the same thing everywhere on a page. */
#ifndef TOOL_REPORT_HTML_STYLE_H
#define TOOL_REPORT_HTML_STYLE_H

#include <stdio.h>

#include "report/comparison.h"

enum { HTML_COLOURS = 7 };

/* The class of a style, and the sample of it that legends and tables show. */
void html_style_class(FILE *to, int style);
void html_style_sample(FILE *to, int style);
/* The style of a method. */
int html_method_style(const comparison *compared, const char *method);

#endif

/* SPDX-License-Identifier: MIT */
/* The frame of a self-contained HTML page. No scripts, nothing from a network; colours follow the viewer's light or
 * dark scheme. */
#ifndef TOOL_REPORT_HTML_PAGE_H
#define TOOL_REPORT_HTML_PAGE_H

#include <stdio.h>

void html_begin(FILE *to, const char *title);
void html_end(FILE *to);

#endif

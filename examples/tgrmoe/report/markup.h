/* SPDX-License-Identifier: MIT */
#ifndef TOOL_REPORT_MARKUP_H
#define TOOL_REPORT_MARKUP_H

#include <stdio.h>

/* Writes text so that nothing in it is taken for markup, not even within attributes. */
void markup_text(FILE *to, const char *text);

#endif

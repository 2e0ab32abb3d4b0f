/* SPDX-License-Identifier: MIT */
#ifndef TOOL_REPORT_MARKUP_H
#define TOOL_REPORT_MARKUP_H

#include <stdio.h>

/* Writes text so that none of it is taken for markup, in attributes either. */
void markup_text(FILE *to, const char *text);

#endif

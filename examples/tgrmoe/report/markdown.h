/* SPDX-License-Identifier: MIT */
/* report.md: the report's tables in Markdown. */
#ifndef TOOL_REPORT_MARKDOWN_H
#define TOOL_REPORT_MARKDOWN_H

#include "report/results.h"

/* Writes the whole file. */
int markdown_report_write(const compare_results *results, const char *path);

#endif

/* SPDX-License-Identifier: MIT */
/* report.md: the tables of the report, for a page of documents. */
#ifndef TOOL_REPORT_MARKDOWN_H
#define TOOL_REPORT_MARKDOWN_H

#include "report/results.h"

/* Writes the whole file. */
int markdown_report_write(const compare_results *results, const char *path);

#endif

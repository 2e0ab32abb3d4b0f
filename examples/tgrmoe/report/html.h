/* SPDX-License-Identifier: MIT */
/* report.html: a page of tables and figures. */
#ifndef TOOL_REPORT_HTML_H
#define TOOL_REPORT_HTML_H

#include "report/results.h"

/* Writes the whole file. */
int html_report_write(const compare_results *results, const char *path);

#endif

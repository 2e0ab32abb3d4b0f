/* SPDX-License-Identifier: MIT */
/* The tables of a comparison's page. */
#ifndef TOOL_REPORT_HTML_TABLE_H
#define TOOL_REPORT_HTML_TABLE_H

#include <stdio.h>

#include "report/results.h"

/* A line for each row of the section, with mean ± deviation over seeds; columns without numbers are left out. */
void html_table(FILE *to, const compare_results *results, const char *section);
/* A list that explains the columns. */
void html_column_meanings(FILE *to, const compare_results *results);

#endif

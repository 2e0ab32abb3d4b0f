/* SPDX-License-Identifier: MIT */
/* The tables and figures of a comparison's page. A section is one of the rows' sections. */
#ifndef TOOL_REPORT_HTML_SECTIONS_H
#define TOOL_REPORT_HTML_SECTIONS_H

#include <stdio.h>

#include "report/results.h"

/* The style of a method, the same in every table and figure. */
int html_method_style(const compare_plan *plan, const char *method);

/* html_table.c: a line for each row of the section, mean ± deviation over seeds; columns without a number are left
 * out. */
void html_table(FILE *to, const compare_results *results, const char *section);
/* What the columns mean. */
void html_column_meanings(FILE *to, const compare_results *results);

/* html_figures.c */
int html_epoch_figures(FILE *to, const compare_results *results, const char *section);
void html_load_figures(FILE *to, const compare_results *results);
int html_sweep_figures(FILE *to, const compare_results *results);

#endif

/* SPDX-License-Identifier: MIT */
/* The figures of a comparison's page. A section is one of the rows' sections. */
#ifndef TOOL_REPORT_HTML_FIGURES_H
#define TOOL_REPORT_HTML_FIGURES_H

#include <stdio.h>

#include "report/results.h"

int html_epoch_figures(FILE *to, const compare_results *results, const char *section);
void html_load_figures(FILE *to, const compare_results *results);
int html_sweep_figures(FILE *to, const compare_results *results);

#endif

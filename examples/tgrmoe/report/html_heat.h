/* SPDX-License-Identifier: MIT */
/* Expert load as a heat map. */
#ifndef TOOL_REPORT_HTML_HEAT_H
#define TOOL_REPORT_HTML_HEAT_H

#include <stdint.h>
#include <stdio.h>

/* A figure with a row for each layer and a column for each expert, coloured by its share of the tokens. */
void html_heat_map(FILE *to, const char *title, const double *shares, int64_t layers, int64_t experts);

#endif

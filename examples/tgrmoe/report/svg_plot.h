/* SPDX-License-Identifier: MIT */
/* A line chart of shares (0 to 1) over epochs, as an SVG file without scripts. */
#ifndef TOOL_REPORT_SVG_PLOT_H
#define TOOL_REPORT_SVG_PLOT_H

#include <stdint.h>
#include <stdio.h>

typedef struct plot_line {
    char name[128];
    int colour, dashed; /* the same number is the same colour */
    int64_t count;
    const double *values; /* [count], of epochs 1 … count; NAN leaves a gap */
} plot_line;

void svg_plot(FILE *to, const char *title, const char *value_name, const plot_line *lines, int count);

#endif

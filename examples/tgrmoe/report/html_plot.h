/* SPDX-License-Identifier: MIT */
/* A line plot as inline SVG. */
#ifndef TOOL_REPORT_HTML_PLOT_H
#define TOOL_REPORT_HTML_PLOT_H

#include <stdint.h>
#include <stdio.h>

typedef struct html_curve {
    const char *name;
    int style; /* see html_style.h */
    int64_t count;
    double *x, *y, *deviation; /* [count]; NAN in y leaves a gap, in deviation no band */
} html_curve;

typedef struct html_axes {
    const char *title, *note, *x_name, *y_name;
    double least, most; /* possible values of y */
    int log_x;          /* logarithmic x axis */
} html_axes;

/* A figure with axes, curves and a legend. Curves without numbers are left out; if none is left, nothing is written. */
void html_plot(FILE *to, const html_axes *axes, const html_curve *curves, int count);

#endif

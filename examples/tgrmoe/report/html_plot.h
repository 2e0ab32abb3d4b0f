/* SPDX-License-Identifier: MIT */
/* A line plot as inline SVG. */
#ifndef TOOL_REPORT_HTML_PLOT_H
#define TOOL_REPORT_HTML_PLOT_H

#include <stdint.h>
#include <stdio.h>

typedef struct html_curve {
    const char *name;
    int style; /* of colour and dashes: the same for the same thing everywhere on the page */
    int64_t count;
    double *x, *y, *deviation; /* [count]; NAN in y leaves a gap, in deviation no band */
} html_curve;

typedef struct html_axes {
    const char *title, *note, *x_name, *y_name;
    double least, most; /* that y can be */
    int log_x;          /* x by its logarithm, ticks at its values */
} html_axes;

/* A figure with axes, curves and legend. Curves without a number are left out; without any, nothing is written. */
void html_plot(FILE *to, const html_axes *axes, const html_curve *curves, int count);

#endif

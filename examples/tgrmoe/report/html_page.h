/* SPDX-License-Identifier: MIT */
/* Pieces of a self-contained HTML page: frame, escaped text, line plots, heat maps. No scripts, nothing from a network;
 * colours follow the viewer's light or dark scheme. */
#ifndef TOOL_REPORT_HTML_PAGE_H
#define TOOL_REPORT_HTML_PAGE_H

#include <stdint.h>
#include <stdio.h>

#include "report/markup.h"

void html_begin(FILE *to, const char *title);
void html_end(FILE *to);

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

/* A figure with a row for each layer and a column for each expert, the colour by the share of the tokens. */
void html_heat_map(FILE *to, const char *title, const double *shares, int64_t layers, int64_t experts);

/* The class of a style, and the sample of it that legends and tables show. */
void html_style_class(FILE *to, int style);
void html_style_sample(FILE *to, int style);

/* Ticks at multiples of a round step that cover low … high in about `wanted` pieces. */
double html_round_step(double low, double high, int wanted);

#endif

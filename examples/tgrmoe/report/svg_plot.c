/* SPDX-License-Identifier: MIT */
/* Axes, grid, lines with dots, and a legend below. Colours follow the viewer's light or dark scheme. */
#include "report/svg_plot.h"

#include <math.h>

#include "report/markup.h"

enum { WIDTH = 760, LEFT = 70, RIGHT = 24, TOP = 56, PLOT_HEIGHT = 320, LEGEND_TOP = TOP + PLOT_HEIGHT + 64, ROW = 22 };
enum { PLOT_WIDTH = WIDTH - LEFT - RIGHT, VALUE_TICKS = 5, EPOCH_TICKS_MOST = 12 };

/* Okabe and Ito's palette, which most people with colour vision deficiency can tell apart, on white and on black. */
static const char *const colours[] = {"#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9"};
enum { COLOURS = sizeof colours / sizeof *colours };

static const char style[] =
    "<style>\n"
    "text { font: 13px system-ui, 'DejaVu Sans', sans-serif; fill: #24292f }\n"
    ".title { font-size: 16px; font-weight: 600 }\n"
    ".ground { fill: #ffffff }\n.grid { stroke: #d8dee4 }\n.axis { stroke: #57606a }\n"
    "@media (prefers-color-scheme: dark) {\n"
    "text { fill: #e6edf3 }\n.ground { fill: #0d1117 }\n.grid { stroke: #30363d }\n.axis { stroke: #8b949e }\n"
    "}\n"
    "</style>\n";

static double x_of(int64_t epoch, int64_t epochs) {
    return epochs > 1 ? LEFT + PLOT_WIDTH * (double)(epoch - 1) / (double)(epochs - 1) : LEFT + PLOT_WIDTH / 2.0;
}

static double y_of(double value) {
    return TOP + PLOT_HEIGHT * (1 - value);
}

static void write_axes(FILE *to, const char *value_name, int64_t epochs) {
    for (int i = 0; i <= VALUE_TICKS; i++) {
        const double value = (double)i / VALUE_TICKS, y = y_of(value);
        fprintf(to, "<line class=\"%s\" x1=\"%d\" y1=\"%.1f\" x2=\"%d\" y2=\"%.1f\"/>\n", i ? "grid" : "axis", LEFT, y,
                WIDTH - RIGHT, y);
        fprintf(to, "<text x=\"%d\" y=\"%.1f\" text-anchor=\"end\">%.1f</text>\n", LEFT - 10, y + 4.5, value);
    }
    fprintf(to, "<line class=\"axis\" x1=\"%d\" y1=\"%d\" x2=\"%d\" y2=\"%d\"/>\n", LEFT, TOP, LEFT, TOP + PLOT_HEIGHT);
    const int64_t step = (epochs + EPOCH_TICKS_MOST - 1) / EPOCH_TICKS_MOST;
    for (int64_t epoch = 1; epoch <= epochs; epoch += step) {
        const double x = x_of(epoch, epochs);
        fprintf(to, "<line class=\"axis\" x1=\"%.1f\" y1=\"%d\" x2=\"%.1f\" y2=\"%d\"/>\n", x, TOP + PLOT_HEIGHT, x,
                TOP + PLOT_HEIGHT + 5);
        fprintf(to, "<text x=\"%.1f\" y=\"%d\" text-anchor=\"middle\">%lld</text>\n", x, TOP + PLOT_HEIGHT + 21,
                (long long)epoch);
    }
    fprintf(to, "<text x=\"%d\" y=\"%d\" text-anchor=\"middle\">epoch</text>\n", LEFT + PLOT_WIDTH / 2,
            TOP + PLOT_HEIGHT + 42);
    fprintf(to, "<text transform=\"translate(22 %d) rotate(-90)\" text-anchor=\"middle\">", TOP + PLOT_HEIGHT / 2);
    markup_text(to, value_name);
    fputs("</text>\n", to);
}

static void write_line(FILE *to, const plot_line *line, int64_t epochs) {
    const char *colour = colours[line->colour % COLOURS];
    int drawing = 0;
    fprintf(to, "<path fill=\"none\" stroke=\"%s\" stroke-width=\"2.2\"%s d=\"", colour,
            line->dashed ? " stroke-dasharray=\"7 5\"" : "");
    for (int64_t i = 0; i < line->count; i++) {
        const int there = isfinite(line->values[i]);
        if (there) fprintf(to, "%c%.1f %.1f", drawing ? 'L' : 'M', x_of(i + 1, epochs), y_of(line->values[i]));
        drawing = there;
    }
    fputs("\"/>\n", to);
    for (int64_t i = 0; i < line->count; i++) {
        if (!isfinite(line->values[i])) continue;
        fprintf(to, "<circle cx=\"%.1f\" cy=\"%.1f\" r=\"3.2\" fill=\"%s\"/>\n", x_of(i + 1, epochs),
                y_of(line->values[i]), colour);
    }
}

static void write_legend(FILE *to, const plot_line *lines, int count) {
    for (int i = 0; i < count; i++) {
        const int x = LEFT + (i % 2) * PLOT_WIDTH / 2, y = LEGEND_TOP + (i / 2) * ROW;
        fprintf(to, "<path stroke=\"%s\" stroke-width=\"2.2\"%s d=\"M%d %dh34\"/>\n",
                colours[lines[i].colour % COLOURS], lines[i].dashed ? " stroke-dasharray=\"7 5\"" : "", x, y);
        fprintf(to, "<text x=\"%d\" y=\"%d\">", x + 42, y + 4);
        markup_text(to, lines[i].name);
        fputs("</text>\n", to);
    }
}

void svg_plot(FILE *to, const char *title, const char *value_name, const plot_line *lines, int count) {
    const int height = LEGEND_TOP + (count + 1) / 2 * ROW + 4;
    int64_t epochs = 1;
    for (int i = 0; i < count; i++) {
        if (lines[i].count > epochs) epochs = lines[i].count;
    }
    fprintf(
        to,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%d\" viewBox=\"0 0 %d %d\" role=\"img\">\n",
        WIDTH, height, WIDTH, height);
    fputs("<title>", to);
    markup_text(to, title);
    fputs("</title>\n", to);
    fputs(style, to);
    fprintf(to, "<rect class=\"ground\" width=\"%d\" height=\"%d\"/>\n", WIDTH, height);
    fprintf(to, "<text class=\"title\" x=\"%d\" y=\"30\">", LEFT);
    markup_text(to, title);
    fputs("</text>\n", to);
    write_axes(to, value_name, epochs);
    for (int i = 0; i < count; i++) write_line(to, &lines[i], epochs);
    write_legend(to, lines, count);
    fputs("</svg>\n", to);
}

/* SPDX-License-Identifier: MIT */
/* Means, with a band for their deviation. */
#include "report/html_plot.h"

#include <math.h>
#include <stdlib.h>

#include "report/html_style.h"
#include "report/markup.h"

enum { WIDTH = 480, HEIGHT = 300, LEFT = 46, RIGHT = 14, TOP = 10, BOTTOM = 46, TICKS = 5, X_TICKS_MOST = 10 };
enum { BANDS_MOST = 5 }; /* if there are more curves, only the one under the pointer shows its band */

/* How numbers map to positions. */
typedef struct plot_scale {
    double low_x, high_x, low, high, step;
    int log_x;
} plot_scale;

/* A round step that divides low … high into about `wanted` pieces. */
static double round_step(double low, double high, int wanted) {
    const double rough = (high - low) / wanted;
    if (!(rough > 0)) return 1;
    const double unit = pow(10, floor(log10(rough)));
    const double times = rough / unit;
    return unit * (times <= 1 ? 1 : times <= 2 ? 2 : times <= 5 ? 5 : 10);
}

static double position_of_x(const plot_scale *scale, double x) {
    const double value = scale->log_x ? log2(x) : x;
    const double share = scale->high_x > scale->low_x ? (value - scale->low_x) / (scale->high_x - scale->low_x) : 0.5;
    return LEFT + share * (WIDTH - LEFT - RIGHT);
}

static double position_of_y(const plot_scale *scale, double y) {
    return TOP + (scale->high - y) / (scale->high - scale->low) * (HEIGHT - TOP - BOTTOM);
}

static int has_numbers(const html_curve *curve) {
    for (int64_t i = 0; i < curve->count; i++) {
        if (isfinite(curve->y[i])) return 1;
    }
    return 0;
}

/* The ranges of all numbers, y rounded to whole steps. False if there are no numbers. */
static int find_scale(plot_scale *scale, const html_axes *axes, const html_curve *curves, int count) {
    *scale = (plot_scale){INFINITY, -INFINITY, INFINITY, -INFINITY, 0, axes->log_x};
    for (int c = 0; c < count; c++) {
        for (int64_t i = 0; i < curves[c].count; i++) {
            const double x = axes->log_x ? log2(curves[c].x[i]) : curves[c].x[i], y = curves[c].y[i];
            const double spread = isfinite(curves[c].deviation[i]) ? curves[c].deviation[i] : 0;
            if (!isfinite(y)) continue;
            scale->low_x = fmin(scale->low_x, x);
            scale->high_x = fmax(scale->high_x, x);
            scale->low = fmin(scale->low, y - spread);
            scale->high = fmax(scale->high, y + spread);
        }
    }
    if (!(scale->low <= scale->high)) return 0;
    if (scale->low == scale->high) {
        scale->low -= 0.05 * (axes->most - axes->least);
        scale->high += 0.05 * (axes->most - axes->least);
    }
    scale->low = fmax(scale->low, axes->least);
    scale->high = fmin(scale->high, axes->most);
    scale->step = round_step(scale->low, scale->high, TICKS);
    scale->low = fmax(axes->least, scale->step * floor(scale->low / scale->step + 1e-9));
    scale->high = fmin(axes->most, scale->step * ceil(scale->high / scale->step - 1e-9));
    return 1;
}

static void write_y_axis(FILE *to, const plot_scale *scale, const char *name) {
    const int digits = scale->step < 1 ? (int)ceil(-log10(scale->step) - 1e-9) : 0;
    const long ticks = lround((scale->high - scale->low) / scale->step);
    for (long i = 0; i <= ticks; i++) {
        const double y = scale->low + (double)i * scale->step;
        const double at = position_of_y(scale, y);
        fprintf(to,
                "<path class=\"grid\" d=\"M%d %.1fH%d\"/><text x=\"%d\" y=\"%.1f\" text-anchor=\"end\">%.*f</text>\n",
                LEFT, at, WIDTH - RIGHT, LEFT - 6, at + 4, digits, y);
    }
    fprintf(to, "<text class=\"y-name\" transform=\"translate(11 %d) rotate(-90)\" text-anchor=\"middle\">",
            (TOP + HEIGHT - BOTTOM) / 2);
    markup_text(to, name);
    fputs("</text>\n", to);
}

static void write_x_tick(FILE *to, const plot_scale *scale, double x) {
    const double at = position_of_x(scale, x);
    fprintf(to, "<path class=\"axis\" d=\"M%.1f %dv4\"/><text x=\"%.1f\" y=\"%d\" text-anchor=\"middle\">%.0f</text>\n",
            at, HEIGHT - BOTTOM, at, HEIGHT - BOTTOM + 19, x);
}

/* Ticks at whole numbers or, on a logarithmic axis, at powers of two. */
static void write_x_axis(FILE *to, const plot_scale *scale, const char *name) {
    const double step = scale->log_x ? 1 : fmax(1, round_step(scale->low_x, scale->high_x, X_TICKS_MOST));
    fprintf(to, "<path class=\"axis\" d=\"M%d %dH%d\"/>\n", LEFT, HEIGHT - BOTTOM, WIDTH - RIGHT);
    if (!scale->log_x && step > 1) write_x_tick(to, scale, scale->low_x);
    const long first = lround(ceil(scale->low_x / step)), last = lround(floor((scale->high_x + 1e-9) / step));
    for (long i = first; i <= last; i++) {
        const double x = (double)i * step;
        if (step > 1 && x - scale->low_x < step / 2) continue; /* too close to the first */
        write_x_tick(to, scale, scale->log_x ? exp2(x) : x);
    }
    fprintf(to, "<text x=\"%d\" y=\"%d\" text-anchor=\"middle\">", (LEFT + WIDTH - RIGHT) / 2, HEIGHT - 5);
    markup_text(to, name);
    fputs("</text>\n", to);
}

/* Mean ± deviation: forth along the upper edge, back along the lower one. */
static void write_band(FILE *to, const plot_scale *scale, const html_curve *curve) {
    char letter = 'M';
    fputs("<path class=\"band\" d=\"", to);
    for (int64_t i = 0; i < 2 * curve->count; i++) {
        const int back = i >= curve->count;
        const int64_t at = back ? 2 * curve->count - 1 - i : i;
        if (!isfinite(curve->y[at]) || !isfinite(curve->deviation[at])) continue;
        const double y = curve->y[at] + (back ? -1 : 1) * curve->deviation[at];
        fprintf(to, "%c%.1f %.1f", letter, position_of_x(scale, curve->x[at]),
                position_of_y(scale, fmin(fmax(y, scale->low), scale->high)));
        letter = 'L';
    }
    fputs("\"/>", to);
}

static void write_curve(FILE *to, const plot_scale *scale, const html_curve *curve) {
    int drawing = 0;
    fputs("<g class=\"one ", to);
    html_style_class(to, curve->style);
    fputs("\"><title>", to);
    markup_text(to, curve->name);
    fputs("</title>", to);
    write_band(to, scale, curve);
    fputs("<path class=\"curve ", to);
    html_style_class(to, curve->style);
    fputs("\" d=\"", to);
    for (int64_t i = 0; i < curve->count; i++) {
        const int there = isfinite(curve->y[i]);
        if (there) {
            fprintf(to, "%c%.1f %.1f", drawing ? 'L' : 'M', position_of_x(scale, curve->x[i]),
                    position_of_y(scale, curve->y[i]));
        }
        drawing = there;
    }
    fputs("\"/>", to);
    for (int64_t i = 0; i < curve->count; i++) {
        if (!isfinite(curve->y[i])) continue;
        fprintf(to, "<circle class=\"dot\" cx=\"%.1f\" cy=\"%.1f\" r=\"2.6\"><title>",
                position_of_x(scale, curve->x[i]), position_of_y(scale, curve->y[i]));
        markup_text(to, curve->name);
        fprintf(to, ", %g: %.4g</title></circle>", curve->x[i], curve->y[i]);
    }
    fputs("</g>\n", to);
}

void html_plot(FILE *to, const html_axes *axes, const html_curve *curves, int count) {
    plot_scale scale;
    if (!find_scale(&scale, axes, curves, count)) return;
    fputs("<figure><figcaption>", to);
    markup_text(to, axes->title);
    fputs("<small>", to);
    markup_text(to, axes->note);
    fprintf(to, "</small></figcaption>\n<svg class=\"plot%s\" viewBox=\"0 0 %d %d\" role=\"img\" aria-label=\"",
            count > BANDS_MOST ? " many" : "", WIDTH, HEIGHT);
    markup_text(to, axes->title);
    fputs("\">\n", to);
    write_y_axis(to, &scale, axes->y_name);
    write_x_axis(to, &scale, axes->x_name);
    for (int i = 0; i < count; i++) {
        if (has_numbers(&curves[i])) write_curve(to, &scale, &curves[i]);
    }
    fputs("</svg>\n<ul class=\"legend\">", to);
    for (int i = 0; i < count; i++) {
        if (!has_numbers(&curves[i])) continue;
        fputs("<li>", to);
        html_style_sample(to, curves[i].style);
        markup_text(to, curves[i].name);
        fputs("</li>", to);
    }
    fputs("</ul></figure>\n", to);
}

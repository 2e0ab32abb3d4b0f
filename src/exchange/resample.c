/* SPDX-License-Identifier: MIT */
/* Bicubic interpolation (Keys, IEEE Trans. ASSP 29, 1981) with a = -0.5, as timm resamples positions by default:
 * PyTorch's interpolate(mode="bicubic", antialias=True), which is Pillow's. When the grid shrinks, the kernel is
 * widened by as much, so that every cell counts; weights of cells beyond the border are shared out among the others. */
#include "exchange/resample.h"

#include <math.h>
#include <string.h>

#define KEYS_A  (-0.5)
#define SUPPORT 2 /* cells on each side that the kernel reaches, before it is widened */

/* Keys' kernel. */
static double keys(double distance) {
    const double x = fabs(distance);
    if (x < 1) return ((KEYS_A + 2) * x - (KEYS_A + 3)) * x * x + 1;
    if (x < SUPPORT) return (((x - 5) * x + 8) * x - 4) * KEYS_A;
    return 0;
}

/* Along one axis: the cells [first, end) around a point. */
typedef struct cell_span {
    double place, widening;
    int64_t first, end;
} cell_span;

static cell_span span_at(int64_t cell, int64_t from_grid, int64_t to_grid) {
    const double scale = (double)from_grid / (double)to_grid;
    cell_span span = {.place = ((double)cell + 0.5) * scale, .widening = fmax(scale, 1)};
    const double reach = SUPPORT * span.widening;
    span.first = (int64_t)fmax(floor(span.place - reach + 0.5), 0);
    span.end = (int64_t)fmin(floor(span.place + reach + 0.5), (double)from_grid);
    return span;
}

static double weight_of(const cell_span *span, int64_t cell) {
    return keys(((double)cell + 0.5 - span->place) / span->widening);
}

static double weight_sum(const cell_span *span) {
    double sum = 0;
    for (int64_t i = span->first; i < span->end; i++) sum += weight_of(span, i);
    return sum;
}

/* from [grid², dim]; to [dim], one cell. */
static void sample(int64_t dim, int64_t grid, const float *from, const cell_span *rows, const cell_span *columns,
                   float *to) {
    const double whole = weight_sum(rows) * weight_sum(columns);
    for (int64_t i = 0; i < dim; i++) {
        double sum = 0;
        for (int64_t row = rows->first; row < rows->end; row++) {
            double along = 0;
            for (int64_t column = columns->first; column < columns->end; column++)
                along += weight_of(columns, column) * (double)from[(row * grid + column) * dim + i];
            sum += weight_of(rows, row) * along;
        }
        to[i] = (float)(sum / whole);
    }
}

void tgr_resample_positions(int64_t dim, int64_t prefix, int64_t from_grid, const float *from, int64_t to_grid,
                            float *to) {
    memcpy(to, from, (size_t)(prefix * dim) * sizeof *to);
    from += prefix * dim;
    to += prefix * dim;
    for (int64_t row = 0; row < to_grid; row++) {
        const cell_span rows = span_at(row, from_grid, to_grid);
        for (int64_t column = 0; column < to_grid; column++, to += dim) {
            const cell_span columns = span_at(column, from_grid, to_grid);
            sample(dim, from_grid, from, &rows, &columns, to);
        }
    }
}

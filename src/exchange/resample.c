/* SPDX-License-Identifier: MIT */
/* Bicubic interpolation (Keys, IEEE Trans. ASSP 29, 1981) with a = -0.75, cells' centres aligned, borders repeated and
 * no smoothing when the grid shrinks: what PyTorch's interpolate(mode="bicubic", align_corners=False) does. */
#include "exchange/resample.h"

#include <math.h>
#include <string.h>

#define KEYS_A (-0.75)

/* Along one axis: the four cells around a point, and their weights. */
typedef struct cubic_taps {
    int64_t cells[4];
    double weights[4];
} cubic_taps;

/* Keys' kernel at distance 0 to 1, and at 1 to 2. */
static double near_weight(double distance) {
    return ((KEYS_A + 2) * distance - (KEYS_A + 3)) * distance * distance + 1;
}
static double far_weight(double distance) {
    return ((KEYS_A * distance - 5 * KEYS_A) * distance + 8 * KEYS_A) * distance - 4 * KEYS_A;
}

static cubic_taps taps_at(int64_t cell, int64_t from_grid, int64_t to_grid) {
    cubic_taps taps;
    double place = ((double)cell + 0.5) * (double)from_grid / (double)to_grid - 0.5;
    double first = floor(place), t = place - first;
    const double weights[] = {far_weight(t + 1), near_weight(t), near_weight(1 - t), far_weight(2 - t)};
    for (int64_t i = 0; i < 4; i++) {
        int64_t at = (int64_t)first - 1 + i;
        taps.cells[i] = at < 0 ? 0 : at < from_grid ? at : from_grid - 1;
        taps.weights[i] = weights[i];
    }
    return taps;
}

static double sample(const float *from, int64_t dim, int64_t grid, const cubic_taps *rows, const cubic_taps *columns) {
    double sum = 0;
    for (int i = 0; i < 4; i++)
        for (int j = 0; j < 4; j++)
            sum += rows->weights[i] * columns->weights[j] *
                   (double)from[(rows->cells[i] * grid + columns->cells[j]) * dim];
    return sum;
}

void tgr_resample_positions(int64_t dim, int64_t prefix, int64_t from_grid, const float *from, int64_t to_grid,
                            float *to) {
    memcpy(to, from, (size_t)(prefix * dim) * sizeof *to);
    from += prefix * dim;
    to += prefix * dim;
    for (int64_t row = 0; row < to_grid; row++) {
        const cubic_taps rows = taps_at(row, from_grid, to_grid);
        for (int64_t column = 0; column < to_grid; column++, to += dim) {
            const cubic_taps columns = taps_at(column, from_grid, to_grid);
            for (int64_t i = 0; i < dim; i++) to[i] = (float)sample(from + i, dim, from_grid, &rows, &columns);
        }
    }
}

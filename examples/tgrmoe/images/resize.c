/* SPDX-License-Identifier: MIT */
/* Two passes, one horizontal and one vertical, each a convolution with fixed-point weights. When an image shrinks, the
 * filter widens accordingly (antialiasing). For the result to equal Pillow's byte for byte, weights are computed in
 * double and rounded to 22 bits, each pass rounds to a byte, a pass that changes no size is skipped, and the order of
 * the passes is Pillow's. */
#include "images/resize.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "failure.h"

enum { PRECISION_BITS = 22 };

static double triangle(double x) {
    x = fabs(x);
    return x < 1 ? 1 - x : 0;
}

/* Keys' cubic with a = -1/2. */
static double cubic(double x) {
    const double a = -0.5;
    x = fabs(x);
    if (x < 1) return ((a + 2) * x - (a + 3)) * x * x + 1;
    if (x < 2) return (((x - 5) * x + 8) * x - 4) * a;
    return 0;
}

typedef struct filter {
    double (*weight)(double);
    double support; /* beyond this distance the weight is 0 */
} filter;

static const filter filters[] = {[INTERPOLATION_BILINEAR] = {triangle, 1}, [INTERPOLATION_BICUBIC] = {cubic, 2}};

static int grow(void **memory, size_t *capacity, size_t bytes) {
    if (bytes <= *capacity) return 0;
    free(*memory);
    *memory = malloc(bytes);
    *capacity = *memory ? bytes : 0;
    return *memory ? 0 : fail_with("no memory for resizing an image");
}

static int axis_reserve(resize_axis *axis, int outputs, int taps_most) {
    int result = 0;
    const size_t rows = (size_t)outputs, taps = (size_t)taps_most;
    if (rows > axis->outputs_capacity) {
        free(axis->first);
        free(axis->counts);
        axis->first = malloc(rows * sizeof *axis->first);
        axis->counts = malloc(rows * sizeof *axis->counts);
        axis->outputs_capacity = axis->first && axis->counts ? rows : 0;
        if (axis->outputs_capacity == 0) TRY(fail_with("no memory for resizing an image"));
    }
    TRY(grow((void **)&axis->taps, &axis->taps_capacity, rows * taps * sizeof *axis->taps));
    TRY(grow((void **)&axis->weights, &axis->weights_capacity, taps * sizeof *axis->weights));
    axis->taps_most = taps_most;
done:
    return result;
}

/* The weights of outputs kept, kept+1 … when `inputs` pixels are resized to `outputs`. */
static int axis_plan(resize_axis *axis, int inputs, int outputs, int kept, int count, const filter *with) {
    int result = 0;
    const double scale = (double)inputs / outputs, wide = scale < 1 ? 1 : scale;
    const double support = with->support * wide, inverse = 1 / wide;
    const double widest = ceil(support) * 2 + 1;
    TRY(axis_reserve(axis, count, widest < inputs ? (int)widest : inputs));
    for (int i = 0; i < count; i++) {
        const double center = (kept + i + 0.5) * scale;
        const double from = center - support + 0.5, to = center + support + 0.5;
        const int first = from < 0 ? 0 : (int)from;
        const int end = to > inputs ? inputs : (int)to;
        double sum = 0;
        int32_t *taps = axis->taps + (size_t)i * (size_t)axis->taps_most;
        axis->first[i] = first;
        axis->counts[i] = end - first;
        for (int k = first; k < end; k++) {
            axis->weights[k - first] = with->weight((k - center + 0.5) * inverse);
            sum += axis->weights[k - first];
        }
        for (int k = 0; k < end - first; k++) {
            const double fixed = axis->weights[k] / sum * (1 << PRECISION_BITS);
            taps[k] = (int32_t)(fixed < 0 ? fixed - 0.5 : fixed + 0.5);
        }
    }
done:
    return result;
}

static uint8_t to_byte(int32_t sum) {
    const int32_t value = sum >> PRECISION_BITS;
    return (uint8_t)(value < 0 ? 0 : value > 255 ? 255 : value);
}

/* One row, [inputs, 3] to [outputs, 3]. */
static void resize_row(const resize_axis *axis, const uint8_t *from, int outputs, uint8_t *to) {
    for (int i = 0; i < outputs; i++, to += IMAGE_CHANNELS) {
        const int32_t *taps = axis->taps + (size_t)i * (size_t)axis->taps_most;
        const uint8_t *in = from + (size_t)axis->first[i] * IMAGE_CHANNELS;
        int32_t red = 1 << (PRECISION_BITS - 1), green = red, blue = red;
        for (int k = 0; k < axis->counts[i]; k++, in += IMAGE_CHANNELS) {
            red += taps[k] * in[0];
            green += taps[k] * in[1];
            blue += taps[k] * in[2];
        }
        to[0] = to_byte(red);
        to[1] = to_byte(green);
        to[2] = to_byte(blue);
    }
}

/* Output row i of the second pass, from rows of `stride` bytes, of which `width` are used. */
static void blend_rows(const resize_axis *axis, int i, const uint8_t *rows, size_t stride, size_t width, int32_t *sums,
                       uint8_t *to) {
    const int32_t *taps = axis->taps + (size_t)i * (size_t)axis->taps_most;
    for (size_t x = 0; x < width; x++) sums[x] = 1 << (PRECISION_BITS - 1);
    for (int k = 0; k < axis->counts[i]; k++) {
        const uint8_t *row = rows + (size_t)k * stride;
        const int32_t tap = taps[k];
        for (size_t x = 0; x < width; x++) sums[x] += tap * row[x];
    }
    for (size_t x = 0; x < width; x++) to[x] = to_byte(sums[x]);
}

/* Rows of an image. */
typedef struct source {
    const uint8_t *at;
    size_t stride;
} source;

static source moved(source from, int columns, int rows) {
    from.at += (size_t)rows * from.stride + (size_t)columns * IMAGE_CHANNELS;
    return from;
}

/* Input pixels first … first+count-1: those that the outputs of an axis depend on. */
typedef struct span {
    int first, count;
} span;

static int axis_span(resize_axis *axis, int inputs, int outputs, span kept, const filter *with, span *read) {
    *read = kept;
    if (inputs < 1 || kept.count < 1) return fail_with("an image without pixels cannot be resized");
    if (inputs == outputs) return 0;
    const int result = axis_plan(axis, inputs, outputs, kept.first, kept.count, with);
    if (result != 0) return result;
    const int last = kept.count - 1;
    *read = (span){axis->first[0], axis->first[last] + axis->counts[last] - axis->first[0]};
    for (int i = 0; i < kept.count; i++) axis->first[i] -= read->first;
    return 0;
}

/* From [rows, any] to [rows, width], or a copy when `axis` is NULL. */
static void pass_across(const resize_axis *axis, source from, int rows, int width, uint8_t *to) {
    const size_t bytes = (size_t)width * IMAGE_CHANNELS;
    for (int y = 0; y < rows; y++, to += bytes) {
        const uint8_t *row = from.at + (size_t)y * from.stride;
        if (axis) {
            resize_row(axis, row, width, to);
        } else {
            memcpy(to, row, bytes);
        }
    }
}

/* From [any, width] to [rows, width]. */
static int pass_down(resizer *memory, source from, int rows, int width, uint8_t *to) {
    int result = 0;
    const resize_axis *axis = &memory->down;
    const size_t bytes = (size_t)width * IMAGE_CHANNELS;
    TRY(grow((void **)&memory->sums, &memory->sums_capacity, bytes * sizeof *memory->sums));
    for (int y = 0; y < rows; y++) {
        blend_rows(axis, y, from.at + (size_t)axis->first[y] * from.stride, from.stride, bytes, memory->sums,
                   to + (size_t)y * bytes);
    }
done:
    return result;
}

/* `columns` and `rows` of `read` become the width and height of `part`. */
static int both_passes(resizer *memory, source read, int columns, int rows, const image_region *part, int down_first,
                       uint8_t *to) {
    int result = 0;
    const int width = down_first ? columns : part->width, height = down_first ? part->height : rows;
    const size_t stride = (size_t)width * IMAGE_CHANNELS;
    TRY(grow((void **)&memory->rows, &memory->rows_capacity, stride * (size_t)height));
    const source between = {memory->rows, stride};
    if (down_first) {
        TRY(pass_down(memory, read, height, width, memory->rows));
        pass_across(&memory->across, between, part->height, part->width, to);
    } else {
        pass_across(&memory->across, read, height, width, memory->rows);
        TRY(pass_down(memory, between, part->height, part->width, to));
    }
done:
    return result;
}

int image_resize(resizer *memory, const image *in, const image_region *from, int width, int height, interpolation how,
                 const image_region *keep, image *out) {
    int result = 0;
    const image_region all_in = {0, 0, in->width, in->height}, all_out = {0, 0, width, height};
    const image_region region = from ? *from : all_in, part = keep ? *keep : all_out;
    const source whole = {in->pixels, (size_t)in->width * IMAGE_CHANNELS};
    const int changes_width = width != region.width, changes_height = height != region.height;
    /* Pillow 13's rule; in earlier versions the horizontal pass always came first. */
    const int down_first = region.height - height > 2 * (region.width - width) && height < region.height;
    span columns, rows; /* those that are read */
    TRY(image_reserve(out, part.width, part.height));
    TRY(axis_span(&memory->across, region.width, width, (span){part.left, part.width}, &filters[how], &columns));
    TRY(axis_span(&memory->down, region.height, height, (span){part.top, part.height}, &filters[how], &rows));
    const source read = moved(whole, region.left + columns.first, region.top + rows.first);
    if (changes_width && changes_height) {
        TRY(both_passes(memory, read, columns.count, rows.count, &part, down_first, out->pixels));
    } else if (changes_height) {
        TRY(pass_down(memory, read, part.height, part.width, out->pixels));
    } else {
        pass_across(changes_width ? &memory->across : NULL, read, part.height, part.width, out->pixels);
    }
done:
    return result;
}

static void axis_free(resize_axis *axis) {
    free(axis->first);
    free(axis->counts);
    free(axis->taps);
    free(axis->weights);
}

void resizer_free(resizer *memory) {
    axis_free(&memory->across);
    axis_free(&memory->down);
    free(memory->rows);
    free(memory->sums);
    *memory = (resizer){0};
}

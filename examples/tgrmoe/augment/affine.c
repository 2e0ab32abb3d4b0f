/* SPDX-License-Identifier: MIT */
/* Each pixel's centre is mapped to a point of the original image, whose value is interpolated in double. Points outside
 * the image give the fill; a neighbour outside is replaced by the nearest pixel inside. */
#include "augment/affine.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* (x, y) comes from (xx · x + xy · y + x0, yx · x + yy · y + y0). */
typedef struct affine_map {
    double xx, xy, x0, yx, yy, y0;
} affine_map;

static int clip(int at, int size) {
    return at < 0 ? 0 : at < size ? at : size - 1;
}

static double line(double a, double b, double d) {
    return a + (b - a) * d;
}

/* Through b at d = 0 and c at d = 1, with slopes of (c - a) and (d - b): Pillow's cubic. */
static double cubic(const double v[4], double d) {
    const double p2 = -v[0] + v[2], p3 = 2 * (v[0] - v[1]) + v[2] - v[3], p4 = -v[0] + v[1] - v[2] + v[3];
    return v[1] + d * (p2 + d * (p3 + d * p4));
}

/* The columns and rows around a point, and its distance from the one before it. */
typedef struct neighbours {
    size_t columns[4], rows[4]; /* in bytes, from the first pixel */
    double dx, dy;
} neighbours;

static neighbours find_neighbours(const image *in, double x, double y, int count) {
    neighbours found;
    const double column = floor(x - 0.5), row = floor(y - 0.5);
    const int first = 1 - count / 2;
    found.dx = x - 0.5 - column;
    found.dy = y - 0.5 - row;
    for (int i = 0; i < count; i++) {
        found.columns[i] = (size_t)clip((int)column + first + i, in->width) * IMAGE_CHANNELS;
        found.rows[i] = (size_t)clip((int)row + first + i, in->height) * (size_t)in->width * IMAGE_CHANNELS;
    }
    return found;
}

static double bilinear(const uint8_t *from, const neighbours *at) {
    double v[2];
    for (int i = 0; i < 2; i++) {
        const uint8_t *row = from + at->rows[i];
        v[i] = line(row[at->columns[0]], row[at->columns[1]], at->dx);
    }
    return line(v[0], v[1], at->dy);
}

static double bicubic(const uint8_t *from, const neighbours *at) {
    double v[4];
    for (int i = 0; i < 4; i++) {
        const uint8_t *row = from + at->rows[i];
        const double across[4] = {row[at->columns[0]], row[at->columns[1]], row[at->columns[2]], row[at->columns[3]]};
        v[i] = cubic(across, at->dx);
    }
    return cubic(v, at->dy);
}

static void sample(const image *in, const affine_style *style, double x, double y, uint8_t *to) {
    const int inside = x >= 0 && x < in->width && y >= 0 && y < in->height;
    if (!inside) {
        memcpy(to, style->fill, IMAGE_CHANNELS);
        return;
    }
    const int is_cubic = style->how == INTERPOLATION_BICUBIC;
    const neighbours at = find_neighbours(in, x, y, is_cubic ? 4 : 2);
    for (int channel = 0; channel < IMAGE_CHANNELS; channel++) {
        const uint8_t *from = in->pixels + channel;
        const double value = is_cubic ? bicubic(from, &at) : bilinear(from, &at);
        to[channel] = (uint8_t)(value <= 0 ? 0 : value >= 255 ? 255 : value); /* truncated, not rounded */
    }
}

static int transform(image *io, image *scratch, const affine_style *style, const affine_map *map) {
    const int result = image_reserve(scratch, io->width, io->height);
    if (result != 0) return result;
    const image was = *io;
    *io = *scratch;
    *scratch = was;
    uint8_t *to = io->pixels;
    for (int row = 0; row < io->height; row++) {
        for (int column = 0; column < io->width; column++, to += IMAGE_CHANNELS) {
            const double x = column + 0.5, y = row + 0.5;
            sample(scratch, style, map->xx * x + map->xy * y + map->x0, map->yx * x + map->yy * y + map->y0, to);
        }
    }
    return 0;
}

int augment_shear_x(image *io, image *scratch, const affine_style *style, double factor) {
    return transform(io, scratch, style, &(affine_map){.xx = 1, .xy = factor, .yy = 1});
}

int augment_shear_y(image *io, image *scratch, const affine_style *style, double factor) {
    return transform(io, scratch, style, &(affine_map){.xx = 1, .yx = factor, .yy = 1});
}

int augment_translate_x(image *io, image *scratch, const affine_style *style, double share) {
    return transform(io, scratch, style, &(affine_map){.xx = 1, .x0 = share * io->width, .yy = 1});
}

int augment_translate_y(image *io, image *scratch, const affine_style *style, double share) {
    return transform(io, scratch, style, &(affine_map){.xx = 1, .yy = 1, .y0 = share * io->height});
}

/* To 15 decimal places, as Python's round() does it. */
static double round_decimal(double number) {
    char text[64];
    snprintf(text, sizeof text, "%.15f", number);
    return strtod(text, NULL);
}

int augment_rotate(image *io, image *scratch, const affine_style *style, double degrees) {
    const double turned = fmod(degrees, 360), positive = turned < 0 ? turned + 360 : turned;
    if (positive == 0) return 0;
    const double angle = -(positive * (3.14159265358979323846 / 180));
    const double center_x = io->width / 2.0, center_y = io->height / 2.0;
    affine_map map = {.xx = round_decimal(cos(angle)),
                      .xy = round_decimal(sin(angle)),
                      .yx = round_decimal(-sin(angle)),
                      .yy = round_decimal(cos(angle))};
    map.x0 = map.xx * -center_x + map.xy * -center_y + center_x;
    map.y0 = map.yx * -center_x + map.yy * -center_y + center_y;
    return transform(io, scratch, style, &map);
}

void augment_flip(image *io) {
    const size_t row = (size_t)io->width * IMAGE_CHANNELS;
    for (int y = 0; y < io->height; y++) {
        uint8_t *left = io->pixels + (size_t)y * row, *right = left + row - IMAGE_CHANNELS;
        for (; left < right; left += IMAGE_CHANNELS, right -= IMAGE_CHANNELS) {
            uint8_t kept[IMAGE_CHANNELS];
            memcpy(kept, left, IMAGE_CHANNELS);
            memcpy(left, right, IMAGE_CHANNELS);
            memcpy(right, kept, IMAGE_CHANNELS);
        }
    }
}

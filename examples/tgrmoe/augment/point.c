/* SPDX-License-Identifier: MIT */
/* Tables of 256 values for each channel, from the image's histogram or from a number. */
#include "augment/point.h"

#include <string.h>

enum { VALUES = 256 };

typedef uint8_t value_table[IMAGE_CHANNELS][VALUES];

static size_t pixel_count(const image *of) {
    return (size_t)of->width * (size_t)of->height;
}

static void apply_table(image *io, value_table table) {
    uint8_t *at = io->pixels;
    for (size_t i = pixel_count(io); i > 0; i--) {
        for (int channel = 0; channel < IMAGE_CHANNELS; channel++, at++) *at = table[channel][*at];
    }
}

/* The same values for every channel. */
static void apply_values(image *io, const uint8_t values[VALUES]) {
    value_table table;
    for (int channel = 0; channel < IMAGE_CHANNELS; channel++) memcpy(table[channel], values, VALUES);
    apply_table(io, table);
}

static void count_values(const image *in, int64_t counts[IMAGE_CHANNELS][VALUES]) {
    const uint8_t *at = in->pixels;
    memset(counts, 0, sizeof(int64_t) * IMAGE_CHANNELS * VALUES);
    for (size_t i = pixel_count(in); i > 0; i--) {
        for (int channel = 0; channel < IMAGE_CHANNELS; channel++) counts[channel][*at++]++;
    }
}

static void stretch(const int64_t counts[VALUES], uint8_t values[VALUES]) {
    int low = 0, high = VALUES - 1;
    while (low < VALUES - 1 && counts[low] == 0) low++;
    while (high > 0 && counts[high] == 0) high--;
    for (int i = 0; i < VALUES; i++) values[i] = (uint8_t)i;
    if (high <= low) return;
    const double scale = 255.0 / (high - low), offset = -low * scale;
    for (int i = 0; i < VALUES; i++) {
        const double scaled = i * scale;
        const int value = (int)(scaled + offset);
        values[i] = (uint8_t)(value < 0 ? 0 : value > 255 ? 255 : value);
    }
}

void augment_autocontrast(image *io) {
    int64_t counts[IMAGE_CHANNELS][VALUES];
    value_table table;
    count_values(io, counts);
    for (int channel = 0; channel < IMAGE_CHANNELS; channel++) stretch(counts[channel], table[channel]);
    apply_table(io, table);
}

/* The highest occurring value does not count towards the step, so that all others can stay below it. */
static void equalize(const int64_t counts[VALUES], uint8_t values[VALUES]) {
    int64_t sum = 0, last = 0;
    for (int i = 0; i < VALUES; i++) {
        values[i] = (uint8_t)i;
        sum += counts[i];
        if (counts[i] > 0) last = counts[i];
    }
    const int64_t step = (sum - last) / 255;
    if (step == 0) return;
    int64_t below = step / 2;
    for (int i = 0; i < VALUES; i++) {
        const int64_t value = below / step;
        values[i] = (uint8_t)(value > 255 ? 255 : value);
        below += counts[i];
    }
}

void augment_equalize(image *io) {
    int64_t counts[IMAGE_CHANNELS][VALUES];
    value_table table;
    count_values(io, counts);
    for (int channel = 0; channel < IMAGE_CHANNELS; channel++) equalize(counts[channel], table[channel]);
    apply_table(io, table);
}

void augment_invert(image *io) {
    augment_solarize(io, 0);
}

void augment_posterize(image *io, int bits) {
    uint8_t values[VALUES];
    for (int i = 0; i < VALUES; i++) values[i] = (uint8_t)(bits >= 8 ? i : i & ~((1 << (8 - bits)) - 1));
    apply_values(io, values);
}

void augment_solarize(image *io, int threshold) {
    uint8_t values[VALUES];
    for (int i = 0; i < VALUES; i++) values[i] = (uint8_t)(i < threshold ? i : 255 - i);
    apply_values(io, values);
}

void augment_solarize_add(image *io, int addend) {
    uint8_t values[VALUES];
    for (int i = 0; i < VALUES; i++) {
        const int sum = i + addend;
        values[i] = (uint8_t)(i >= 128 ? i : sum > 255 ? 255 : sum);
    }
    apply_values(io, values);
}

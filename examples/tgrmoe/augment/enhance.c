/* SPDX-License-Identifier: MIT */
/* Each blends the image with a degenerate one, which is rounded as Pillow rounds it. */
#include "augment/enhance.h"

#include <string.h>

/* from + factor · (to - from), truncated, not rounded. */
static uint8_t blend(int from, int to, float factor) {
    const float product = factor * (float)(to - from), sum = (float)from + product;
    return (uint8_t)(sum <= 0 ? 0 : sum >= 255 ? 255 : sum);
}

/* ITU-R 601-2 luma in 16-bit fixed point. */
static int grey_of(const uint8_t pixel[IMAGE_CHANNELS]) {
    return (pixel[0] * 19595 + pixel[1] * 38470 + pixel[2] * 7471 + 0x8000) >> 16;
}

static size_t byte_count(const image *of) {
    return (size_t)of->width * (size_t)of->height * IMAGE_CHANNELS;
}

static void blend_from(image *io, int from, float factor) {
    const size_t bytes = byte_count(io);
    for (size_t i = 0; i < bytes; i++) io->pixels[i] = blend(from, io->pixels[i], factor);
}

void augment_color(image *io, float factor) {
    const size_t bytes = byte_count(io);
    for (size_t i = 0; i < bytes; i += IMAGE_CHANNELS) {
        uint8_t *pixel = io->pixels + i;
        const int grey = grey_of(pixel);
        for (int channel = 0; channel < IMAGE_CHANNELS; channel++) pixel[channel] = blend(grey, pixel[channel], factor);
    }
}

void augment_contrast(image *io, float factor) {
    const size_t pixels = byte_count(io) / IMAGE_CHANNELS;
    int64_t sum = 0;
    for (size_t i = 0; i < pixels; i++) sum += grey_of(io->pixels + i * IMAGE_CHANNELS);
    const double mean = (double)sum / (double)pixels;
    blend_from(io, (int)(mean + 0.5), factor);
}

void augment_brightness(image *io, float factor) {
    blend_from(io, 0, factor);
}

/* One row of the 3 x 3 filter around one byte, with that weight in the middle. */
static float weigh_row(const uint8_t *at, float side, float middle) {
    const float left = (float)at[-IMAGE_CHANNELS] * side, here = (float)at[0] * middle;
    const float right = (float)at[IMAGE_CHANNELS] * side, sum = left + here;
    return sum + right;
}

/* The mean of 3 x 3 pixels, where the centre counts five times. Pixels at the edge are unchanged. */
static void smooth(image *to, const image *from) {
    const float side = 1.0F / 13.0F, middle = 5.0F / 13.0F;
    const int row = from->width * IMAGE_CHANNELS;
    memcpy(to->pixels, from->pixels, byte_count(from));
    for (int y = 1; y < from->height - 1; y++) {
        const uint8_t *here = from->pixels + (size_t)y * (size_t)row;
        uint8_t *out = to->pixels + (size_t)y * (size_t)row;
        for (int i = IMAGE_CHANNELS; i < row - IMAGE_CHANNELS; i++) {
            float sum = 0.5F; /* rounds */
            sum += weigh_row(here + row + i, side, side);
            sum += weigh_row(here + i, side, middle);
            sum += weigh_row(here - row + i, side, side);
            out[i] = (uint8_t)(sum >= 255 ? 255 : sum);
        }
    }
}

int augment_sharpness(image *io, image *scratch, float factor) {
    const int result = image_reserve(scratch, io->width, io->height);
    if (result != 0) return result;
    smooth(scratch, io);
    const size_t bytes = byte_count(io);
    for (size_t i = 0; i < bytes; i++) io->pixels[i] = blend(scratch->pixels[i], io->pixels[i], factor);
    return 0;
}

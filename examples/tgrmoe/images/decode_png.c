/* SPDX-License-Identifier: MIT */
/* PNG by libpng. Its errors return here by longjmp, and it prints nothing. */
#include "images/decode_png.h"

#include <setjmp.h>
#include <stdio.h>
#include <string.h>

#include <png.h>

typedef struct png_decoding {
    png_structp png;
    png_infop info;
    const uint8_t *at;
    size_t left;
    jmp_buf escape;
    int deep_grey;      /* rows are of 16 bits */
    int careful;        /* no byte is asked for before it is needed */
    int cut;            /* one was that is not there */
    char *message;      /* [DECODE_MESSAGE] */
    const char *failed; /* NULL, or what is wrong */
} png_decoding;

static _Noreturn void escape(png_decoding *decoding, const char *why) {
    decoding->failed = why;
    longjmp(decoding->escape, 1);
}

static _Noreturn void on_error(png_structp png, png_const_charp text) {
    png_decoding *decoding = png_get_error_ptr(png);
    snprintf(decoding->message, DECODE_MESSAGE, "damaged PNG: %s", text);
    escape(decoding, decoding->message);
}

static void on_warning(png_structp png, png_const_charp text) {
    (void)png;
    (void)text;
}

static void give_bytes(png_structp png, png_bytep to, size_t count) {
    png_decoding *decoding = png_get_io_ptr(png);
    decoding->cut = count > decoding->left;
    if (decoding->cut) escape(decoding, "the file is truncated (PNG)");
    memcpy(to, decoding->at, count);
    decoding->at += count;
    decoding->left -= count;
}

/* Asks libpng for 8-bit RGB, except for 16-bit grey, which stays as it is. True in that case. */
static int choose_colors(png_decoding *decoding) {
    const png_byte color = png_get_color_type(decoding->png, decoding->info);
    const int deep = png_get_bit_depth(decoding->png, decoding->info) == 16;
    if (color == PNG_COLOR_TYPE_GRAY && deep) return 1;
    if (color == PNG_COLOR_TYPE_PALETTE) png_set_palette_to_rgb(decoding->png);
    if (color == PNG_COLOR_TYPE_GRAY) png_set_expand_gray_1_2_4_to_8(decoding->png);
    if (deep) png_set_strip_16(decoding->png);
    png_set_strip_alpha(decoding->png);
    if (!(color & PNG_COLOR_MASK_COLOR)) png_set_gray_to_rgb(decoding->png);
    return 0;
}

/* In place, from 16-bit [pixels], high byte first, to [pixels, 3]: values above 255 become 255. */
static void cut_grey(uint8_t *bytes, size_t pixels) {
    for (size_t i = pixels; i-- > 0;) {
        const uint8_t grey = bytes[2 * i] != 0 ? 255 : bytes[2 * i + 1];
        memset(bytes + 3 * i, grey, 3);
    }
}

/* What follows the last row is not read. */
static void read_rows(png_decoding *decoding, image *out) {
    const size_t stride = (size_t)out->width * (decoding->deep_grey ? 2 : 3);
    const int passes = png_set_interlace_handling(decoding->png);
    png_read_update_info(decoding->png, decoding->info);
    if (png_get_rowbytes(decoding->png, decoding->info) != stride) escape(decoding, "PNG of an unknown type");
    for (int pass = 0; pass < passes; pass++) {
        for (int y = 0; y < out->height; y++) {
            png_read_row(decoding->png, out->pixels + (size_t)y * stride, NULL);
        }
    }
}

/* Whether the last row is there: libpng counts it, and then looks for the end of the data, which may be missing or
 * wrong. */
static int has_all_rows(const png_decoding *decoding) {
    if (!decoding->info || png_get_image_height(decoding->png, decoding->info) == 0) return 0;
    if (png_get_interlace_type(decoding->png, decoding->info) != PNG_INTERLACE_NONE) {
        return png_get_current_pass_number(decoding->png) >= PNG_INTERLACE_ADAM7_PASSES;
    }
    return png_get_current_row_number(decoding->png) >= png_get_image_height(decoding->png, decoding->info);
}

static void decode(png_decoding *decoding, int64_t pixels_most, image *out) {
    decoding->png = png_create_read_struct(PNG_LIBPNG_VER_STRING, decoding, on_error, on_warning);
    if (decoding->png) decoding->info = png_create_info_struct(decoding->png);
    if (!decoding->info) escape(decoding, "no memory for decoding");
    png_structp png = decoding->png;
    png_set_user_limits(png, DECODE_SIDE_MOST, DECODE_SIDE_MOST);
    /* Texts, profiles and the like are passed over: they do not matter here, and libpng would make room for as much as
     * a chunk says it holds. */
    png_set_keep_unknown_chunks(png, PNG_HANDLE_CHUNK_NEVER, NULL, -1);
    png_set_read_fn(png, decoding, give_bytes);
    png_read_info(png, decoding->info);
    const char *wrong = decode_reserve(png_get_image_width(png, decoding->info),
                                       png_get_image_height(png, decoding->info), pixels_most, decoding->message, out);
    if (wrong) escape(decoding, wrong);
    /* Each pass of an interlaced image leaves the pixels of later passes untouched; in a damaged image they may never
     * come. */
    memset(out->pixels, 0, (size_t)out->width * (size_t)out->height * IMAGE_CHANNELS);
    decoding->deep_grey = choose_colors(decoding);
    /* Pillow does not look at the checksums of pixels either. */
    png_set_crc_action(png, PNG_CRC_QUIET_USE, PNG_CRC_QUIET_USE);
    if (decoding->careful) png_set_compression_buffer_size(png, 1);
    read_rows(decoding, out);
}

/* A function of its own, because locals changed between setjmp and longjmp would be undefined. */
static void attempt(png_decoding *decoding, int64_t pixels_most, image *out) {
    if (setjmp(decoding->escape) == 0) decode(decoding, pixels_most, out);
}

static void decode_once(png_decoding *decoding, int64_t pixels_most, image *out) {
    attempt(decoding, pixels_most, out);
    if (decoding->failed && has_all_rows(decoding)) decoding->failed = NULL;
    if (!decoding->failed && decoding->deep_grey) cut_grey(out->pixels, (size_t)out->width * (size_t)out->height);
    png_destroy_read_struct(&decoding->png, &decoding->info, NULL);
}

/* libpng reads ahead: where a file ends within what is behind the pixels, it fails before it has them all. */
const char *decode_png(const uint8_t *bytes, size_t size, int64_t pixels_most, char message[DECODE_MESSAGE],
                       image *out) {
    png_decoding decoding = {.at = bytes, .left = size, .message = message};
    decode_once(&decoding, pixels_most, out);
    if (!decoding.failed || !decoding.cut) return decoding.failed;
    decoding = (png_decoding){.at = bytes, .left = size, .message = message, .careful = 1};
    decode_once(&decoding, pixels_most, out);
    return decoding.failed;
}

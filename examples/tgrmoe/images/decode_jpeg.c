/* SPDX-License-Identifier: MIT */
/* JPEG by libjpeg. Its errors return here by longjmp instead of ending the program, and it prints nothing. Each image
 * gets a new decoder: libjpeg keeps tables from one image to the next, so an image without tables of its own would
 * depend on what the thread decoded before. */
#include "images/decode_jpeg.h"

#include <setjmp.h>
#include <stdio.h>

#include <jerror.h>
#include <jpeglib.h>

/* A progressive image may contain any number of scans, each a pass over all pixels. */
enum { SCANS_MOST = 256 };

typedef struct jpeg_decoding {
    struct jpeg_decompress_struct jpeg;
    struct jpeg_error_mgr errors;
    struct jpeg_source_mgr source;
    struct jpeg_progress_mgr progress;
    jmp_buf escape;
    char *message;      /* [DECODE_MESSAGE] */
    const char *failed; /* NULL, or what is wrong */
} jpeg_decoding;

static jpeg_decoding *decoding_of(j_common_ptr jpeg) {
    return jpeg->client_data;
}

static _Noreturn void escape(j_common_ptr jpeg, const char *why) {
    jpeg_decoding *decoding = decoding_of(jpeg);
    decoding->failed = why;
    longjmp(decoding->escape, 1);
}

/* What is whole, but of a kind that libjpeg 2 does not decode: NULL for all else. */
static const char *foreign_kind(const struct jpeg_error_mgr *errors) {
    if (errors->msg_code == JERR_BAD_PRECISION) return "is a JPEG of more than 8 bits, which is not decoded here";
    if (errors->msg_code == JERR_ARITH_NOTIMPL) return "is a JPEG with arithmetic coding, which is not decoded here";
    if (errors->msg_code != JERR_SOF_UNSUPPORTED) return NULL;
    const int process = errors->msg_parm.i[0] & 0x0F; /* SOF0 to SOF15 */
    if (process % 4 == 3) return "is a lossless JPEG, which is not decoded here";
    return "is a hierarchical JPEG, which is not decoded here";
}

static _Noreturn void on_error(j_common_ptr jpeg) {
    char text[JMSG_LENGTH_MAX];
    jpeg_decoding *decoding = decoding_of(jpeg);
    if (foreign_kind(jpeg->err)) escape(jpeg, foreign_kind(jpeg->err));
    jpeg->err->format_message(jpeg, text);
    snprintf(decoding->message, DECODE_MESSAGE, "damaged JPEG: %s", text);
    escape(jpeg, decoding->message);
}

/* Warnings are about defects that decoders tolerate; Pillow does so too. */
static void on_message(j_common_ptr jpeg, int level) {
    if (level < 0) jpeg->err->num_warnings++;
}

static void on_output(j_common_ptr jpeg) {
    (void)jpeg;
}

static void on_progress(j_common_ptr jpeg) {
    if (decoding_of(jpeg)->jpeg.input_scan_number > SCANS_MOST) escape(jpeg, "damaged JPEG: too many scans");
}

static void begin_source(j_decompress_ptr jpeg) {
    (void)jpeg;
}

/* All bytes are in memory from the start, so a request for more means that the image is truncated. */
static boolean at_end(j_decompress_ptr jpeg) {
    escape((j_common_ptr)jpeg, "the file is truncated (JPEG)");
}

static void skip(j_decompress_ptr jpeg, long bytes) {
    if (bytes <= 0) return;
    if ((size_t)bytes > jpeg->src->bytes_in_buffer) (void)at_end(jpeg);
    jpeg->src->next_input_byte += bytes;
    jpeg->src->bytes_in_buffer -= (size_t)bytes;
}

static void end_source(j_decompress_ptr jpeg) {
    (void)jpeg;
}

/* In place, from [width, 1] to [width, 3]. */
static void spread_grey(uint8_t *row, int width) {
    for (int x = width - 1; x >= 0; x--) {
        const uint8_t grey = row[x];
        row[3 * x] = grey;
        row[3 * x + 1] = grey;
        row[3 * x + 2] = grey;
    }
}

/* a * b / 255, rounded. */
static int share(int a, int b) {
    const int product = a * b + 128;
    return ((product >> 8) + product) >> 8;
}

/* From [width, 4] to [width, 3]. CMYK is stored inverted, as Adobe's programs write it and as Pillow assumes. */
static void mix_inks(const uint8_t *inks, uint8_t *row, int width) {
    for (int x = 0; x < width; x++, inks += 4, row += 3) {
        const int light = inks[3];
        for (int i = 0; i < 3; i++) row[i] = (uint8_t)(light - share(255 - inks[i], light));
    }
}

static void choose_colors(j_decompress_ptr jpeg) {
    switch (jpeg->jpeg_color_space) {
        case JCS_GRAYSCALE:
            jpeg->out_color_space = JCS_GRAYSCALE;
            break;
        case JCS_CMYK:
        case JCS_YCCK:
            jpeg->out_color_space = JCS_CMYK;
            break;
        default:
            jpeg->out_color_space = JCS_RGB;
    }
}

static void read_rows(jpeg_decoding *decoding, image *out) {
    j_decompress_ptr jpeg = &decoding->jpeg;
    const size_t stride = (size_t)out->width * IMAGE_CHANNELS;
    JSAMPARRAY inks = NULL;
    if (jpeg->out_color_space == JCS_CMYK) {
        inks = jpeg->mem->alloc_sarray((j_common_ptr)jpeg, JPOOL_IMAGE, jpeg->output_width * 4, 1);
    }
    while (jpeg->output_scanline < jpeg->output_height) {
        uint8_t *row = out->pixels + jpeg->output_scanline * stride;
        jpeg_read_scanlines(jpeg, inks ? inks : &row, 1);
        if (inks) mix_inks(inks[0], row, out->width);
        if (jpeg->out_color_space == JCS_GRAYSCALE) spread_grey(row, out->width);
    }
}

/* Whether coefficients of a progressive image are not as exact as its quantisation: then scans are missing, and
 * decoders guess. */
static int lacks_scans(const struct jpeg_decompress_struct *jpeg) {
    if (!jpeg->progressive_mode || !jpeg->coef_bits) return 0;
    for (int component = 0; component < jpeg->num_components; component++) {
        for (int i = 0; i < DCTSIZE2; i++) {
            if (jpeg->coef_bits[component][i] != 0) return 1;
        }
    }
    return 0;
}

static void decode(jpeg_decoding *decoding, int64_t pixels_most, image *out) {
    j_decompress_ptr jpeg = &decoding->jpeg;
    jpeg_create_decompress(jpeg);
    jpeg->src = &decoding->source;
    jpeg->progress = &decoding->progress;
    jpeg_read_header(jpeg, TRUE);
    const char *wrong = decode_reserve(jpeg->image_width, jpeg->image_height, pixels_most, decoding->message, out);
    if (wrong) escape((j_common_ptr)jpeg, wrong);
    choose_colors(jpeg);
    jpeg_start_decompress(jpeg);
    read_rows(decoding, out);
    if (lacks_scans(jpeg)) {
        snprintf(
            decoding->message, DECODE_MESSAGE,
            "is a progressive JPEG that lacks its last scans: libjpeg-turbo 3, as in Pillow's wheels since 10, smooths "
            "such images otherwise than version 2 does");
    }
    jpeg_finish_decompress(jpeg);
}

/* A function of its own, because locals changed between setjmp and longjmp would be undefined. */
static void attempt(jpeg_decoding *decoding, int64_t pixels_most, image *out) {
    if (setjmp(decoding->escape) == 0) decode(decoding, pixels_most, out);
}

const char *decode_jpeg(const uint8_t *bytes, size_t size, int64_t pixels_most, char message[DECODE_MESSAGE],
                        image *out) {
    jpeg_decoding decoding = {.message = message,
                              .progress = {.progress_monitor = on_progress},
                              .source = {bytes, size, begin_source, at_end, skip, jpeg_resync_to_restart, end_source}};
    decoding.jpeg.err = jpeg_std_error(&decoding.errors);
    decoding.jpeg.client_data = &decoding;
    decoding.errors.error_exit = on_error;
    decoding.errors.emit_message = on_message;
    decoding.errors.output_message = on_output;
    attempt(&decoding, pixels_most, out);
    jpeg_destroy_decompress(&decoding.jpeg);
    return decoding.failed;
}

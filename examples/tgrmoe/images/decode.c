/* SPDX-License-Identifier: MIT */
/* Recognising a format and decoding it. */
#include "images/decode.h"

#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "failure.h"
#include "images/decode_jpeg.h"
#include "images/decode_png.h"

typedef struct signature {
    image_format format;
    const char *name;
    size_t offset, size;
    const char *bytes;
} signature;

/* Formats that are decoded, then formats that often come with the wrong file extension. */
static const signature signatures[] = {
    {IMAGE_FORMAT_JPEG, "JPEG", 0, 3, "\xFF\xD8\xFF"}, {IMAGE_FORMAT_PNG, "PNG", 0, 8, "\x89PNG\r\n\x1A\n"},
    {IMAGE_FORMAT_UNKNOWN, "WebP", 8, 4, "WEBP"},      {IMAGE_FORMAT_UNKNOWN, "GIF", 0, 4, "GIF8"},
    {IMAGE_FORMAT_UNKNOWN, "AVIF", 4, 8, "ftypavif"},  {IMAGE_FORMAT_UNKNOWN, "HEIC", 4, 7, "ftyphei"},
    {IMAGE_FORMAT_UNKNOWN, "TIFF", 0, 4, "II*\0"},     {IMAGE_FORMAT_UNKNOWN, "TIFF", 0, 4, "MM\0*"},
    {IMAGE_FORMAT_UNKNOWN, "BMP", 0, 2, "BM"},         {IMAGE_FORMAT_UNKNOWN, "HTML", 0, 5, "<!DOC"},
    {IMAGE_FORMAT_UNKNOWN, "HTML", 0, 5, "<html"},
};
enum { SIGNATURES = sizeof signatures / sizeof *signatures };

image_format image_sniff(const uint8_t *bytes, size_t size, const char **other) {
    if (other) *other = NULL;
    for (int i = 0; i < SIGNATURES; i++) {
        const signature *known = &signatures[i];
        if (size < known->offset + known->size || memcmp(bytes + known->offset, known->bytes, known->size) != 0) {
            continue;
        }
        if (other && known->format == IMAGE_FORMAT_UNKNOWN) *other = known->name;
        return known->format;
    }
    return IMAGE_FORMAT_UNKNOWN;
}

static atomic_flag noted = ATOMIC_FLAG_INIT;

int image_decode(const uint8_t *bytes, size_t size, const char *name, int64_t pixels_most, image *out) {
    char message[DECODE_MESSAGE] = "";
    const char *other = NULL, *wrong = NULL;
    if (size == 0) return fail_with("%s: is empty", name);
    switch (image_sniff(bytes, size, &other)) {
        case IMAGE_FORMAT_JPEG:
            wrong = decode_jpeg(bytes, size, pixels_most, message, out);
            if (!wrong && *message && !atomic_flag_test_and_set(&noted)) {
                fprintf(stderr, "%s: %s (said once)\n", name, message);
            }
            break;
        case IMAGE_FORMAT_PNG:
            wrong = decode_png(bytes, size, pixels_most, message, out);
            break;
        case IMAGE_FORMAT_UNKNOWN:
            if (other) return fail_with("%s: is neither JPEG nor PNG, but %s", name, other);
            return fail_with("%s: is neither JPEG nor PNG", name);
    }
    return wrong ? fail_with("%s: %s", name, wrong) : 0;
}

/* SPDX-License-Identifier: MIT */
/* EXIF is a TIFF file without pixels: a byte order, then a table of tags. */
#include "images/orientation.h"

#include <string.h>

#include "failure.h"

enum { UPRIGHT = 1, ORIENTATIONS = 8, TAG_ORIENTATION = 0x0112, TYPE_SHORT = 3, TYPE_LONG = 4 };

/* A part of a file. */
typedef struct span {
    const uint8_t *at;
    size_t size;
} span;

static uint32_t number(const uint8_t *at, int bytes, int little) {
    uint32_t value = 0;
    for (int i = 0; i < bytes; i++) value = value << 8 | at[little ? bytes - 1 - i : i];
    return value;
}

static int begins(span with, const char *text, size_t size) {
    return with.size >= size && memcmp(with.at, text, size) == 0;
}

/* 0 where it is not said. */
static int read_exif(span exif) {
    const int little = begins(exif, "II*\0", 4);
    if (!little && !begins(exif, "MM\0*", 4)) return 0;
    if (exif.size < 8) return 0;
    const size_t table = number(exif.at + 4, 4, little);
    if (table > exif.size || exif.size - table < 2) return 0;
    const size_t tags = number(exif.at + table, 2, little);
    for (size_t i = 0; i < tags && exif.size - table >= 2 + 12 * (i + 1); i++) {
        const uint8_t *tag = exif.at + table + 2 + 12 * i;
        const uint32_t type = number(tag + 2, 2, little);
        if (number(tag, 2, little) != TAG_ORIENTATION || (type != TYPE_SHORT && type != TYPE_LONG)) continue;
        const uint32_t value = number(tag + 8, type == TYPE_SHORT ? 2 : 4, little);
        return value >= UPRIGHT && value <= ORIENTATIONS ? (int)value : UPRIGHT;
    }
    return 0;
}

/* tiff:Orientation="6", or an element of that name. */
static int read_xmp(span xmp) {
    static const char name[] = "tiff:Orientation";
    const size_t length = sizeof name - 1;
    for (size_t i = 0; i + length + 3 <= xmp.size; i++) {
        const uint8_t *at = xmp.at + i;
        if (memcmp(at, name, length) != 0) continue;
        at += length;
        if (*at == '>')
            at++;
        else if (at[0] == '=' && at[1] == '"')
            at += 2;
        else
            continue;
        return *at >= '1' && *at <= '8' ? *at - '0' : UPRIGHT;
    }
    return 0;
}

/* EXIF has the first word, whichever comes first. */
typedef struct found_orientation {
    int exif, xmp;
} found_orientation;

static void read_segment(span segment, found_orientation *found) {
    static const char exif[] = "Exif\0", xmp[] = "http://ns.adobe.com/xap/1.0/";
    if (begins(segment, exif, sizeof exif) && found->exif == 0) {
        found->exif = read_exif((span){segment.at + sizeof exif, segment.size - sizeof exif});
    } else if (begins(segment, xmp, sizeof xmp) && found->xmp == 0) {
        found->xmp = read_xmp(segment);
    }
}

/* Segments up to the pixels. Any number of FF may stand in front of a marker. */
static void search_jpeg(span file, found_orientation *found) {
    enum { APP1 = 0xE1, SOS = 0xDA, EOI = 0xD9, RST0 = 0xD0, SOI = 0xD8, TEM = 0x01 };
    for (size_t i = 2; i + 4 <= file.size && file.at[i] == 0xFF;) {
        const uint8_t marker = file.at[i + 1];
        if (marker == 0xFF || (marker >= RST0 && marker <= SOI) || marker == TEM) {
            i += marker == 0xFF ? 1 : 2;
            continue;
        }
        const size_t length = number(file.at + i + 2, 2, 0);
        if (marker == SOS || marker == EOI || length < 2 || length > file.size - i - 2) return;
        if (marker == APP1) read_segment((span){file.at + i + 4, length - 2}, found);
        i += 2 + length;
    }
}

static void search_png(span file, found_orientation *found) {
    for (size_t i = 8; i + 12 <= file.size;) {
        const size_t length = number(file.at + i, 4, 0);
        if (length > file.size - i - 12) return;
        const span data = {file.at + i + 8, length};
        if (memcmp(file.at + i + 4, "eXIf", 4) == 0 && found->exif == 0) found->exif = read_exif(data);
        if (memcmp(file.at + i + 4, "iTXt", 4) == 0 && found->xmp == 0) found->xmp = read_xmp(data);
        i += 12 + length;
    }
}

int orientation_find(const uint8_t *bytes, size_t size) {
    const span file = {bytes, size};
    found_orientation found = {0};
    if (begins(file, "\xFF\xD8", 2)) search_jpeg(file, &found);
    if (begins(file, "\x89PNG", 4)) search_png(file, &found);
    return found.exif > 0 ? found.exif : found.xmp > 0 ? found.xmp : UPRIGHT;
}

/* What stands at (x, y) of the upright image stood at … of the stored one. */
typedef struct turning {
    int swaps, flips_x, flips_y; /* width and height change places; then the stored axes run backwards */
} turning;

int orientation_apply(const image *in, int orientation, image *out) {
    static const turning turnings[ORIENTATIONS + 1] = {{0, 0, 0}, {0, 0, 0}, {0, 1, 0}, {0, 1, 1}, {0, 0, 1},
                                                       {1, 0, 0}, {1, 0, 1}, {1, 1, 1}, {1, 1, 0}};
    const turning how = turnings[orientation >= UPRIGHT && orientation <= ORIENTATIONS ? orientation : UPRIGHT];
    const int width = how.swaps ? in->height : in->width, height = how.swaps ? in->width : in->height;
    const int result = image_reserve(out, width, height);
    if (result != 0) return result;
    uint8_t *to = out->pixels;
    for (int y = 0; y < height; y++) {
        for (int x = 0; x < width; x++, to += IMAGE_CHANNELS) {
            const int across = how.swaps ? y : x, down = how.swaps ? x : y;
            const int column = how.flips_x ? in->width - 1 - across : across;
            const int row = how.flips_y ? in->height - 1 - down : down;
            memcpy(to, in->pixels + ((size_t)row * (size_t)in->width + (size_t)column) * IMAGE_CHANNELS,
                   IMAGE_CHANNELS);
        }
    }
    return 0;
}

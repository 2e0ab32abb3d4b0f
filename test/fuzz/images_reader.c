/* SPDX-License-Identifier: MIT */
/* Fuzz target: any bytes as an image file, then resized as for evaluation and for a random crop. A PNG is read a second
 * time with its checksums made right, so that what lies behind them is reached. An image that decodes does so wholly:
 * no byte of it depends on what was in memory. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "images/decode.h"
#include "images/orientation.h"
#include "images/preprocessing.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define REQUIRE(condition)         \
    do {                           \
        if (!(condition)) abort(); \
    } while (0)

enum { LARGEST = 1 << 16, PIXELS_MOST = 1 << 12 };

static image first, second, fitted;
static resizer memory;

static void dirty(image *out, uint8_t value) {
    REQUIRE(image_reserve(out, PIXELS_MOST, 1) == 0);
    memset(out->pixels, value, out->capacity);
}

/* `number` chooses among sizes, crops and filters. */
static void resize(unsigned number) {
    preprocessing how;
    preprocessing_defaults(&how);
    how.crop_pct = 1 - (double)(number % 7) / 8;
    how.interpolation = number % 2 ? INTERPOLATION_BILINEAR : INTERPOLATION_BICUBIC;
    const int size = 1 + (int)(number % 23), width = 1 + (int)(number % 31), height = 1 + (int)(number % 17);
    if (preprocess_image(&memory, &how, &first, size, &fitted) == 0) {
        REQUIRE(fitted.width == size && fitted.height == size);
    }
    const int left = (int)(number / 3) % first.width, top = (int)(number / 5) % first.height;
    const image_region part = {left, top, first.width - left, first.height - top};
    REQUIRE(image_resize(&memory, &first, &part, width, height, (interpolation)how.interpolation, NULL, &fitted) == 0);
    REQUIRE(fitted.width == width && fitted.height == height);
}

static void read_image(const uint8_t *data, size_t size) {
    const int orientation = orientation_find(data, size);
    REQUIRE(orientation >= 1 && orientation <= 8);
    dirty(&first, 0xA5);
    if (image_decode(data, size, "input", PIXELS_MOST, &first) != 0) return;
    dirty(&second, 0x5A);
    REQUIRE(image_decode(data, size, "input", PIXELS_MOST, &second) == 0);
    REQUIRE(first.width == second.width && first.height == second.height);
    const size_t bytes = (size_t)first.width * (size_t)first.height * IMAGE_CHANNELS;
    REQUIRE(memcmp(first.pixels, second.pixels, bytes) == 0);
    REQUIRE(orientation_apply(&first, orientation, &second) == 0);
    REQUIRE((int64_t)second.width * second.height == (int64_t)first.width * first.height);
    resize((unsigned)size * 2654435761U >> 8);
}

static uint32_t get(const uint8_t *from) {
    return (uint32_t)from[0] << 24 | (uint32_t)from[1] << 16 | (uint32_t)from[2] << 8 | from[3];
}

/* Makes the checksum of each chunk right; true if one was not. */
static int repair(uint8_t *data, size_t size) {
    int changed = 0;
    if (image_sniff(data, size, NULL) != IMAGE_FORMAT_PNG) return 0;
    for (size_t at = 8; size - at >= 12;) {
        const size_t length = get(data + at), left = size - at - 12;
        if (length > left) break;
        const uint32_t sum = (uint32_t)crc32_z(0, data + at + 4, length + 4);
        uint8_t *place = data + at + 8 + length;
        changed |= get(place) != sum;
        for (int i = 0; i < 4; i++) place[i] = (uint8_t)(sum >> (24 - 8 * i));
        at += 12 + length;
    }
    return changed;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static uint8_t repaired[LARGEST];
    if (size > LARGEST) return 0;
    read_image(data, size);
    if (size > 0) memcpy(repaired, data, size);
    if (repair(repaired, size)) read_image(repaired, size);
    return 0;
}

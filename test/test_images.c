/* SPDX-License-Identifier: MIT */
/* Decoding, resizing and preprocessing of images, against what Pillow and timm gave (test/golden/make_images.py). */
#include "support.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "failure.h"
#include "images/decode.h"
#include "images/decode_jpeg.h"
#include "images/orientation.h"
#include "images/preprocessing.h"

enum { BYTES_MOST = 1 << 16, NAME_SIZE = 64, LINE_SIZE = 512 };

static uint8_t bytes[BYTES_MOST];

/* Next to this source; the test is run from the root of the tree. */
static FILE *open_golden(const char *name) {
    char path[4096];
    const char *slash = strrchr(__FILE__, '/');
    snprintf(path, sizeof path, "%.*s/golden/images/%s", slash ? (int)(slash - __FILE__) : 1, slash ? __FILE__ : ".",
             name);
    FILE *file = fopen(path, "rb");
    if (!file) fail_msg("%s cannot be opened", path);
    return file;
}

static size_t read_golden(const char *name) {
    FILE *file = open_golden(name);
    const size_t size = fread(bytes, 1, sizeof bytes, file);
    fclose(file);
    assert_true(size > 0 && size < sizeof bytes);
    return size;
}

static void decode_golden(const char *name, image *out) {
    const size_t size = read_golden(name);
    if (image_decode(bytes, size, name, DECODE_PIXELS_MOST, out) != 0) fail_msg("%s", failure_message());
}

static void assert_same(const char *line, const image *found, const char *expected, int tolerance) {
    image wanted = {0};
    decode_golden(expected, &wanted);
    assert_int_equal(found->width, wanted.width);
    assert_int_equal(found->height, wanted.height);
    const size_t count = (size_t)wanted.width * (size_t)wanted.height * IMAGE_CHANNELS;
    for (size_t i = 0; i < count; i++) {
        if (abs(found->pixels[i] - wanted.pixels[i]) <= tolerance) continue;
        fail_msg("%s: byte %zu of %zu is %d, not %d", line, i, count, found->pixels[i], wanted.pixels[i]);
    }
    image_free(&wanted);
}

static interpolation filter_of(const char *name) {
    return strcmp(name, "bicubic") == 0 ? INTERPOLATION_BICUBIC : INTERPOLATION_BILINEAR;
}

typedef struct bench {
    resizer memory;
    image in, out; /* used again from case to case, as they are in a thread */
} bench;

static void run_decode(bench *with, const char *line) {
    int tolerance = -1;
    char name[NAME_SIZE], expected[NAME_SIZE];
    assert_int_equal(sscanf(line, "decode %d %63s %63s", &tolerance, name, expected), 3);
    decode_golden(name, &with->in);
    assert_same(line, &with->in, expected, tolerance);
}

static void run_upright(bench *with, const char *line) {
    char name[NAME_SIZE], expected[NAME_SIZE];
    assert_int_equal(sscanf(line, "upright %63s %63s", name, expected), 2);
    decode_golden(name, &with->in);
    const size_t size = read_golden(name);
    assert_int_equal(orientation_apply(&with->in, orientation_find(bytes, size), &with->out), 0);
    assert_same(line, &with->out, expected, 0);
}

static void run_broken(bench *with, const char *line) {
    char name[NAME_SIZE];
    assert_int_equal(sscanf(line, "broken %63s", name), 1);
    const size_t size = read_golden(name);
    assert_int_equal(image_decode(bytes, size, name, DECODE_PIXELS_MOST, &with->in), FAILURE);
    assert_non_null(strstr(failure_message(), name));
}

static void run_resize(bench *with, const char *line) {
    int width = 0, height = 0;
    image_region from = {0};
    char name[NAME_SIZE], expected[NAME_SIZE], how[NAME_SIZE];
    assert_int_equal(sscanf(line, "resize %63s %63s %d %d %63s %d %d %d %d", name, expected, &width, &height, how,
                            &from.left, &from.top, &from.width, &from.height),
                     9);
    decode_golden(name, &with->in);
    assert_int_equal(image_resize(&with->memory, &with->in, &from, width, height, filter_of(how), NULL, &with->out), 0);
    assert_same(line, &with->out, expected, 0);
}

static void run_evaluate(bench *with, const char *line) {
    int size = 0;
    preprocessing rule;
    char name[NAME_SIZE], expected[NAME_SIZE], how[NAME_SIZE], crop[NAME_SIZE];
    preprocessing_defaults(&rule);
    assert_int_equal(sscanf(line, "evaluate %63s %63s %d %63s %63s", name, expected, &size, crop, how), 5);
    assert_int_equal(preprocessing_read(&rule, "crop_pct", crop), 0);
    assert_int_equal(preprocessing_read(&rule, "interpolation", how), 0);
    decode_golden(name, &with->in);
    assert_int_equal(preprocess_image(&with->memory, &rule, &with->in, size, &with->out), 0);
    assert_same(line, &with->out, expected, 0);
}

static void test_goldens(void **state) {
    (void)state;
    static const struct {
        const char *name;
        void (*run)(bench *, const char *);
        int least;
    } kinds[] = {{"decode", run_decode, 57},
                 {"broken", run_broken, 12},
                 {"upright", run_upright, 17},
                 {"resize", run_resize, 30},
                 {"evaluate", run_evaluate, 12}};
    int counts[4] = {0};
    bench with = {0};
    char line[LINE_SIZE];
    FILE *file = open_golden("cases.txt");
    while (fgets(line, sizeof line, file)) {
        line[strcspn(line, "\n")] = '\0';
        for (int i = 0; i < 4; i++) {
            if (strncmp(line, kinds[i].name, strlen(kinds[i].name)) != 0) continue;
            kinds[i].run(&with, line);
            counts[i]++;
        }
    }
    fclose(file);
    for (int i = 0; i < 4; i++) assert_true(counts[i] >= kinds[i].least);
    image_free(&with.in);
    image_free(&with.out);
    resizer_free(&with.memory);
}

/* A window of a resized image is what the whole one has there. */
static void test_windows(void **state) {
    (void)state;
    bench with = {0};
    image window = {0};
    decode_golden("noise.png", &with.in);
    for (int i = 0; i < 200; i++) {
        const int width = 1 + i * 7 % 90, height = 1 + i * 11 % 70;
        const image_region keep = {i % width, i * 3 % height, 1 + i % (width - i % width),
                                   1 + i % (height - i * 3 % height)};
        const interpolation how = i % 2 ? INTERPOLATION_BICUBIC : INTERPOLATION_BILINEAR;
        assert_int_equal(image_resize(&with.memory, &with.in, NULL, width, height, how, NULL, &with.out), 0);
        assert_int_equal(image_resize(&with.memory, &with.in, NULL, width, height, how, &keep, &window), 0);
        for (int y = 0; y < keep.height; y++) {
            const uint8_t *whole = with.out.pixels + ((keep.top + y) * width + keep.left) * IMAGE_CHANNELS;
            assert_memory_equal(window.pixels + y * keep.width * IMAGE_CHANNELS, whole,
                                (size_t)keep.width * IMAGE_CHANNELS);
        }
    }
    image_free(&with.in);
    image_free(&with.out);
    image_free(&window);
    resizer_free(&with.memory);
}

/* Wherever a file is cut, it is refused; only what follows the pixels may be missing: of a PNG the checksums of pixels
 * and the last chunk, 20 bytes, and of the byte before them the bits that end the data. */
static void test_every_cut(void **state) {
    (void)state;
    enum { TAIL = 21 };
    static const char *const names[] = {"jpeg_420.jpg", "jpeg_progressive.jpg", "png_2_8.png",
                                        "png_3_4_interlaced.png"};
    image out = {0}, whole = {0};
    for (int i = 0; i < 4; i++) {
        const size_t size = read_golden(names[i]), tail = strncmp(names[i], "png", 3) == 0 ? TAIL : 0;
        assert_int_equal(image_decode(bytes, size, "whole", DECODE_PIXELS_MOST, &whole), 0);
        for (size_t cut = 0; cut < size; cut++) {
            uint8_t *copy = malloc(cut + 1); /* of its own, so that reading past its end is seen */
            assert_non_null(copy);
            memcpy(copy, bytes, cut);
            const int failed = image_decode(copy, cut, "cut", DECODE_PIXELS_MOST, &out) != 0;
            if (!failed && cut + tail < size) fail_msg("%s: %zu of %zu bytes were enough", names[i], cut, size);
            if (failed && cut + tail > size) fail_msg("%s: %zu of %zu bytes were not enough", names[i], cut, size);
            if (failed) assert_non_null(strstr(failure_message(), "cut: "));
            if (!failed) {
                assert_memory_equal(out.pixels, whole.pixels,
                                    (size_t)whole.width * (size_t)whole.height * IMAGE_CHANNELS);
            }
            free(copy);
        }
    }
    image_free(&out);
    image_free(&whole);
}

static void refuses(const void *content, size_t size, int64_t pixels_most, const char *wanted) {
    image out = {0};
    assert_int_equal(image_decode(content, size, "some/file.jpg", pixels_most, &out), FAILURE);
    if (!strstr(failure_message(), wanted) || !strstr(failure_message(), "some/file.jpg: ")) {
        fail_msg("no '%s' in: %s", wanted, failure_message());
    }
    image_free(&out);
}

static void test_refused_with_reason(void **state) {
    (void)state;
    refuses("", 0, DECODE_PIXELS_MOST, "is empty");
    refuses("hello, world", 12, DECODE_PIXELS_MOST, "neither JPEG nor PNG");
    refuses("RIFF\0\0\0\0WEBPVP8 ", 16, DECODE_PIXELS_MOST, "but WebP");
    refuses("GIF89a......", 12, DECODE_PIXELS_MOST, "but GIF");
    refuses("\xFF\xD8\xFF", 3, DECODE_PIXELS_MOST, "truncated");
    refuses(bytes, read_golden("png_2_8.png"), 11 * 13 - 1, "has 13 x 11 pixels");
    refuses(bytes, read_golden("jpeg_420.jpg"), 45 * 33 - 1, "has 45 x 33 pixels");
    refuses(bytes, read_golden("broken_cut.png"), DECODE_PIXELS_MOST, "truncated");
    refuses(bytes, read_golden("broken_cut.jpg"), DECODE_PIXELS_MOST, "truncated");
    /* A header that promises more than 65500 pixels a side. */
    size_t size = read_golden("jpeg_420.jpg");
    for (size_t i = 0; i + 9 < size; i++) {
        if (bytes[i] == 0xFF && bytes[i + 1] == 0xC0) memset(bytes + i + 5, 0xFF, 4);
    }
    refuses(bytes, size, DECODE_PIXELS_MOST, "65");
}

/* Frame headers of processes that are not decoded: such files are intact, and messages should not suggest damage. */
static void test_other_kinds_of_jpeg_are_named(void **state) {
    (void)state;
    static const struct {
        uint8_t marker, bits;
        const char *wanted;
    } kinds[] = {{0xC3, 8, ": is a lossless JPEG"},
                 {0xC7, 8, ": is a lossless JPEG"},
                 {0xC5, 8, ": is a hierarchical JPEG"},
                 {0xC0, 12, ": is a JPEG with more than 8"},
                 {0xCB, 8, ": is a lossless JPEG"}};
    const size_t size = read_golden("jpeg_420.jpg");
    size_t frame = 2;
    while (bytes[frame + 1] != 0xC0) frame += 2 + (size_t)bytes[frame + 2] * 256 + bytes[frame + 3];
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        bytes[frame + 1] = kinds[i].marker;
        bytes[frame + 4] = kinds[i].bits;
        refuses(bytes, size, DECODE_PIXELS_MOST, kinds[i].wanted);
        assert_null(strstr(failure_message(), "damaged"));
    }
}

/* Without its last scans a progressive image is still one, and decoders differ about it. */
static void test_missing_scans_are_said(void **state) {
    (void)state;
    char message[DECODE_MESSAGE] = "";
    image out = {0};
    size_t size = read_golden("jpeg_progressive.jpg"), scan = size - 2;
    assert_null(decode_jpeg(bytes, size, DECODE_PIXELS_MOST, message, &out));
    assert_string_equal(message, "");
    while (bytes[scan] != 0xFF || bytes[scan + 1] != 0xDA) scan--;
    memcpy(bytes + scan, "\xFF\xD9", 2);
    assert_null(decode_jpeg(bytes, scan + 2, DECODE_PIXELS_MOST, message, &out));
    assert_non_null(strstr(message, "lacks its last scans"));
    image_free(&out);
}

static void test_texts_and_back(void **state) {
    (void)state;
    preprocessing given, read;
    preprocessing_text texts[PREPROCESSING_TEXTS];
    preprocessing_defaults(&given);
    preprocessing_write(&given, texts);
    assert_string_equal(texts[0].text, "0.485,0.456,0.406");
    assert_string_equal(texts[1].text, "0.229,0.224,0.225");
    assert_string_equal(texts[2].text, "0.9");
    assert_string_equal(texts[3].text, "bicubic");
    given = (preprocessing){{1.0 / 3, -1e-300, 2.0 / 7}, {1e300, 0.1 + 0.2, 1.0 / 9}, 0.123456789012345678, 2, 0, 0};
    preprocessing_write(&given, texts);
    memset(&read, 0, sizeof read);
    for (int i = 0; i < PREPROCESSING_TEXTS; i++) {
        assert_int_equal(preprocessing_read(&read, texts[i].key, texts[i].text), 0);
    }
    assert_memory_equal(&given, &read, sizeof read);
    assert_int_equal(preprocessing_read(&read, "mean", "0.5"), 0);
    assert_int_equal(preprocessing_read(&read, "license", "x"), 0);
    for (int i = 0; i < IMAGE_CHANNELS; i++) assert_true(read.mean[i] == 0.5);
    const preprocessing before = read;
    static const char *const bad[][2] = {{"mean", ""},      {"mean", "1,2"},         {"mean", "1,2,3,4"},
                                         {"std", "1,2,"},   {"std", "1;2;3"},        {"crop_pct", "0.9,0.9"},
                                         {"crop_pct", "x"}, {"interpolation", "box"}};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_int_equal(preprocessing_read(&read, bad[i][0], bad[i][1]), FAILURE);
        assert_memory_equal(&before, &read, sizeof read);
    }
}

static void test_checked(void **state) {
    (void)state;
    preprocessing good, wrong;
    preprocessing_defaults(&good);
    assert_int_equal(preprocessing_check(&good, "here"), 0);
    const double bad[] = {0, -1, NAN, INFINITY};
    for (int i = 0; i < 4; i++) {
        wrong = good;
        wrong.deviation[1] = bad[i];
        assert_int_equal(preprocessing_check(&wrong, "here"), FAILURE);
        wrong = good;
        wrong.crop_pct = bad[i];
        assert_int_equal(preprocessing_check(&wrong, "here"), FAILURE);
    }
    wrong = good;
    wrong.interpolation = 7;
    assert_int_equal(preprocessing_check(&wrong, "here"), FAILURE);
    wrong = good;
    wrong.mean[2] = NAN;
    assert_int_equal(preprocessing_check(&wrong, "here"), FAILURE);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_goldens),
                                       cmocka_unit_test(test_windows),
                                       cmocka_unit_test(test_every_cut),
                                       cmocka_unit_test(test_refused_with_reason),
                                       cmocka_unit_test(test_other_kinds_of_jpeg_are_named),
                                       cmocka_unit_test(test_missing_scans_are_said),
                                       cmocka_unit_test(test_texts_and_back),
                                       cmocka_unit_test(test_checked)};
    return cmocka_run_group_tests_name("images", tests, NULL, NULL);
}

/* SPDX-License-Identifier: MIT */
/* Its defaults, its text form, and the transform itself. */
#include "images/preprocessing.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "failure.h"

static const struct {
    interpolation value;
    const char *name;
} interpolations[] = {{INTERPOLATION_BILINEAR, "bilinear"}, {INTERPOLATION_BICUBIC, "bicubic"}};
enum { INTERPOLATIONS = sizeof interpolations / sizeof *interpolations };

static const char *name_of(int64_t value) {
    for (int i = 0; i < INTERPOLATIONS; i++) {
        if ((int64_t)interpolations[i].value == value) return interpolations[i].name;
    }
    return NULL;
}

const char *const preprocessing_keys[PREPROCESSING_TEXTS] = {"mean", "std", "crop_pct", "interpolation", "orientation"};

void preprocessing_defaults(preprocessing *out) {
    *out = (preprocessing){{0.485, 0.456, 0.406}, {0.229, 0.224, 0.225}, 0.9, INTERPOLATION_BICUBIC, ASSUMED_ALL, 1};
}

int preprocessing_check(const preprocessing *wanted, const char *where) {
    for (int i = 0; i < IMAGE_CHANNELS; i++) {
        if (!isfinite(wanted->mean[i])) return fail_with("%s: mean is %g; it must be a number", where, wanted->mean[i]);
        if (!(wanted->deviation[i] > 0) || !isfinite(wanted->deviation[i])) {
            return fail_with("%s: std is %g; it must be above 0", where, wanted->deviation[i]);
        }
    }
    if (!(wanted->crop_pct >= 0.01 && wanted->crop_pct <= 1)) {
        return fail_with("%s: crop_pct is %g; it must be from 0.01 to 1", where, wanted->crop_pct);
    }
    if (!name_of(wanted->interpolation)) return fail_with("%s: interpolation is of an unknown kind", where);
    if (wanted->upright != 0 && wanted->upright != 1) return fail_with("%s: orientation is of an unknown kind", where);
    if (wanted->assumed & ~(int64_t)ASSUMED_ALL) return fail_with("%s: what is assumed is of an unknown kind", where);
    return 0;
}

int preprocessing_equal(const preprocessing *a, const preprocessing *b) {
    for (int i = 0; i < IMAGE_CHANNELS; i++) {
        if (a->mean[i] != b->mean[i] || a->deviation[i] != b->deviation[i]) return 0;
    }
    return a->crop_pct == b->crop_pct && a->interpolation == b->interpolation && a->upright == b->upright;
}

/* The shortest decimal that reads back as the same number. */
static size_t write_number(char *to, size_t size, double number) {
    int length = 0;
    for (int digits = 1; digits <= 17; digits++) {
        length = snprintf(to, size, "%.*g", digits, number);
        if (strtod(to, NULL) == number) break;
    }
    return (size_t)length;
}

static void write_channels(char *to, const double numbers[IMAGE_CHANNELS]) {
    size_t at = 0;
    for (int i = 0; i < IMAGE_CHANNELS; i++) {
        if (i > 0) to[at++] = ',';
        at += write_number(to + at, PREPROCESSING_TEXT_SIZE - at, numbers[i]);
    }
}

void preprocessing_write(const preprocessing *from, preprocessing_text texts[PREPROCESSING_TEXTS]) {
    for (int i = 0; i < PREPROCESSING_TEXTS; i++) {
        texts[i] = (preprocessing_text){.key = preprocessing_keys[i], .assumed = from->assumed >> i & 1};
    }
    write_channels(texts[0].text, from->mean);
    write_channels(texts[1].text, from->deviation);
    write_number(texts[2].text, PREPROCESSING_TEXT_SIZE, from->crop_pct);
    snprintf(texts[3].text, PREPROCESSING_TEXT_SIZE, "%s", name_of(from->interpolation));
    snprintf(texts[4].text, PREPROCESSING_TEXT_SIZE, "%s", from->upright ? "exif" : "stored");
}

void preprocessing_say_assumed(const preprocessing *how, const char *path) {
    preprocessing_text texts[PREPROCESSING_TEXTS];
    if (how->assumed == 0) return;
    preprocessing_write(how, texts);
    fprintf(stderr, "%s: does not say how images were prepared; assumed", path);
    for (int i = 0; i < PREPROCESSING_TEXTS; i++) {
        if (texts[i].assumed) fprintf(stderr, " %s %s", texts[i].key, texts[i].text);
    }
    fprintf(stderr, " (--timm NAME, or --mean, --std, --crop and --interpolation, say it)\n");
}

/* One number, or `most` numbers separated by commas. */
static int read_numbers(const char *key, const char *text, int most, double *numbers) {
    int count = 0;
    const char *at = text;
    do {
        char *end = NULL;
        const double number = strtod(at, &end);
        if (end == at || (*end != '\0' && *end != ',') || count == most) {
            return fail_with("%s is '%s'; a number is needed%s", key, text,
                             most > 1 ? ", or three separated by commas" : "");
        }
        numbers[count++] = number;
        at = *end == ',' ? end + 1 : end;
        if (*end == '\0') break;
    } while (1);
    if (count != 1 && count != most) {
        return fail_with("%s is '%s'; it must be a number, or three separated by commas", key, text);
    }
    for (int i = count; i < most; i++) numbers[i] = numbers[0];
    return 0;
}

int preprocessing_read(preprocessing *to, const char *key, const char *text) {
    int result = 0;
    preprocessing read = *to;
    if (strcmp(key, "mean") == 0) TRY(read_numbers(key, text, IMAGE_CHANNELS, read.mean));
    if (strcmp(key, "std") == 0) TRY(read_numbers(key, text, IMAGE_CHANNELS, read.deviation));
    if (strcmp(key, "crop_pct") == 0) TRY(read_numbers(key, text, 1, &read.crop_pct));
    if (strcmp(key, "interpolation") == 0) {
        read.interpolation = 0;
        for (int i = 0; i < INTERPOLATIONS; i++) {
            if (strcmp(interpolations[i].name, text) == 0) read.interpolation = interpolations[i].value;
        }
        if (read.interpolation == 0) TRY(fail_with("interpolation is '%s'; it must be bilinear or bicubic", text));
    }
    if (strcmp(key, "orientation") == 0) {
        read.upright = strcmp(text, "exif") == 0;
        if (!read.upright && strcmp(text, "stored") != 0) {
            TRY(fail_with("orientation is '%s'; allowed are exif, stored", text));
        }
    }
    for (int i = 0; i < PREPROCESSING_TEXTS; i++) {
        if (strcmp(key, preprocessing_keys[i]) == 0) read.assumed &= ~(int64_t)(1 << i);
    }
    *to = read;
done:
    return result;
}

/* Half of the remainder, rounded as Python does: halves to even. */
static int middle(int whole, int part) {
    const int over = whole - part;
    return over / 2 + (over % 2 & over / 2 % 2);
}

int preprocess_image(resizer *memory, const preprocessing *how, const image *in, int size, image *out) {
    const int side = (int)floor(size / how->crop_pct);
    const int upright = in->width <= in->height;
    const int64_t shorter = upright ? in->width : in->height, longer = upright ? in->height : in->width;
    const int64_t other = side * longer / shorter;
    if (other > INT32_MAX / 4) return fail_with("an image of %d x %d is too long and narrow", in->width, in->height);
    const int width = upright ? side : (int)other, height = upright ? (int)other : side;
    const image_region keep = {middle(width, size), middle(height, size), size, size};
    return image_resize(memory, in, NULL, width, height, (interpolation)how->interpolation, &keep, out);
}

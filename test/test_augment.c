/* SPDX-License-Identifier: MIT */
/* Augmentation, compared byte for byte with Pillow, torchvision and timm where they leave nothing to chance
 * (test/golden/make_augment.py). */
#include "support.h"

#include <stdio.h>
#include <string.h>
#include <zlib.h>

#include "augment/augment.h"
#include "augment/mix.h"
#include "augment/notation.h"
#include "augment/policy.h"
#include "failure.h"
#include "golden/golden.h"

enum { LARGE_WIDTH = 131, LARGE_HEIGHT = 97 };
static const affine_style mean_fill = {.fill = {124, 116, 104}};
static golden_file golden;

static const void *found(const char *name, int64_t *count) {
    const golden_record *record = golden_find(&golden, name);
    if (!record) fail_msg("no record %s", name);
    if (count) *count = record->count;
    return record->data;
}

static const void *found_at(const char *prefix, int number, const char *suffix) {
    char name[96];
    snprintf(name, sizeof name, "%s.%d%s", prefix, number, suffix);
    return found(name, NULL);
}

static size_t bytes_of(const image *of) {
    return (size_t)of->width * (size_t)of->height * IMAGE_CHANNELS;
}

static image copy_of(int width, int height, const uint8_t *pixels) {
    image copy = {0};
    assert_int_equal(image_reserve(&copy, width, height), 0);
    memcpy(copy.pixels, pixels, bytes_of(&copy));
    return copy;
}

/* The same formula as large_image() of make_augment.py. */
static image large_image(void) {
    static uint8_t pixels[LARGE_HEIGHT * LARGE_WIDTH * IMAGE_CHANNELS];
    uint8_t *to = pixels;
    for (int y = 0; y < LARGE_HEIGHT; y++) {
        for (int x = 0; x < LARGE_WIDTH; x++) {
            for (int c = 0; c < IMAGE_CHANNELS; c++) {
                *to++ = (uint8_t)((x * 7 + y * 13 + c * 50 + (x * y) % 23 * 5) % 256 * (1 + c) / 3 % 256);
            }
        }
    }
    return copy_of(LARGE_WIDTH, LARGE_HEIGHT, pixels);
}

static int operation_called(const char *name) {
    for (int i = 0; i < AUGMENT_OPERATIONS; i++) {
        if (strcmp(augment_operation_name(i), name) == 0) return i;
    }
    fail_msg("no operation %s", name);
    return -1;
}

/* A line "OPERATION IMAGE ARGUMENT INTERPOLATION" of the golden. */
typedef struct golden_case {
    char name[32];
    int image, how;
    double argument;
} golden_case;

/* Reads the line at *text and moves past it; 0 at the end. */
static int next_case(const char **text, golden_case *out) {
    int length = 0;
    if (sscanf(*text, "%31s %d %la %d\n%n", out->name, &out->image, &out->argument, &out->how, &length) != 4) return 0;
    *text += length;
    return 1;
}

static image apply_case(const image *in, const golden_case *wanted) {
    image io = copy_of(in->width, in->height, in->pixels), scratch = {0};
    affine_style style = mean_fill;
    if (wanted->how != 0) style.how = (interpolation)wanted->how;
    assert_int_equal(augment_operation_apply(operation_called(wanted->name), &io, &scratch, &style, wanted->argument),
                     0);
    image_free(&scratch);
    return io;
}

static void test_tiny_images_as_pillow(void **state) {
    const char *lines = found("cases", NULL);
    int64_t left = 0, count = 0;
    const uint8_t *expected = found("results", &left);
    golden_case wanted;
    (void)state;
    while (next_case(&lines, &wanted)) {
        const int32_t *size = found_at("image", wanted.image, ".size");
        image in = copy_of(size[0], size[1], found_at("image", wanted.image, ""));
        image out = apply_case(&in, &wanted);
        if (memcmp(out.pixels, expected, bytes_of(&out)) != 0) {
            print_error("%s %g of image %d, interpolation %d\n", wanted.name, wanted.argument, wanted.image,
                        wanted.how);
        }
        assert_same_bytes(out.pixels, expected, bytes_of(&out));
        expected += bytes_of(&out);
        left -= (int64_t)bytes_of(&out);
        count++;
        image_free(&in);
        image_free(&out);
    }
    assert_int_equal(left, 0);
    assert_true(count > 400);
}

static void test_a_large_image_as_pillow(void **state) {
    const char *lines = found("large", NULL);
    int64_t sums = 0;
    const int32_t *sum = found("large.sums", &sums);
    golden_case wanted;
    image in = large_image();
    (void)state;
    FOR(i, sums) {
        assert_true(next_case(&lines, &wanted));
        image out = apply_case(&in, &wanted);
        if (crc32_z(0, out.pixels, bytes_of(&out)) != (uint32_t)sum[i]) {
            fail_msg("%s %g, interpolation %d", wanted.name, wanted.argument, wanted.how);
        }
        image_free(&out);
    }
    assert_true(sums > 60);
    image_free(&in);
}

static void test_arguments_as_timm(void **state) {
    const char *text = found("arguments", NULL);
    int operation, increasing, negate, length, count = 0;
    double magnitude, argument;
    char name[32];
    (void)state;
    for (; sscanf(text, "%d %31s %d %la %d %la\n%n", &operation, name, &increasing, &magnitude, &negate, &argument,
                  &length) == 6;
         text += length, count++) {
        const char *own = augment_operation_name(operation);
        assert_memory_equal(name, own, strlen(own)); /* timm's has "Increasing" after it */
        const double found_argument = augment_operation_argument(operation, increasing, magnitude, negate);
        if (found_argument != argument) fail_msg("%s at %g: %a, not %a", name, magnitude, found_argument, argument);
    }
    assert_int_equal(count, 15 * 2 * 9 * 2);
}

static void test_mixes_as_timm(void **state) {
    enum { COUNT = 4, CHANNELS = 3, HEIGHT = 7, WIDTH = 6, CLASSES = 3 };
    int64_t numbers = 0, plans = 0;
    const float *images = found("mix.images", &numbers);
    const int32_t *labels = found("mix.labels", NULL);
    const double *drawn = found("mix.plans", &plans);
    float mixed[COUNT * CHANNELS * HEIGHT * WIDTH], targets[COUNT * CLASSES];
    (void)state;
    assert_int_equal(numbers, COUNT * CHANNELS * HEIGHT * WIDTH);
    for (int i = 0; i < plans / 4; i++, drawn += 4) {
        const mix_plan plan = drawn[0] != 0 ? mix_cut(drawn[1], HEIGHT, WIDTH, (int)drawn[2], (int)drawn[3])
                                            : (mix_plan){.lambda = drawn[1]};
        memcpy(mixed, images, sizeof mixed);
        mix_images(mixed, COUNT, CHANNELS, HEIGHT, WIDTH, &plan);
        assert_same_bytes(mixed, found_at("mix", i, ""), sizeof mixed);
        mix_targets(targets, labels, COUNT, CLASSES, &plan);
        for (int k = 0; k < COUNT * CLASSES; k++)
            targets[k] = 0.9F * targets[k] + 0.1F / CLASSES; /* as the loss does */
        assert_all_close(targets, found_at("mix", i, ".targets"), COUNT * CLASSES, 1e-6, 0);
    }
}

static void test_a_batch_of_odd_size_is_mixed(void **state) {
    float images[3] = {1, 2, 3}, targets[3 * 2];
    const int32_t labels[3] = {0, 1, 1};
    const float expected_images[3] = {1.5F, 2, 2.5F}, expected[6] = {0.75F, 0.25F, 0, 1, 0.25F, 0.75F};
    (void)state;
    const mix_plan plan = {.lambda = 0.75};
    mix_images(images, 3, 1, 1, 1, &plan);
    mix_targets(targets, labels, 3, 2, &plan);
    assert_all_close(images, expected_images, 3, 0, 0);
    assert_all_close(targets, expected, 6, 0, 0);
}

static void test_flip_turns_rows_around(void **state) {
    const uint8_t pixels[] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 11, 12, 13, 14, 15, 16, 17, 18, 19};
    const uint8_t expected[] = {7, 8, 9, 4, 5, 6, 1, 2, 3, 17, 18, 19, 14, 15, 16, 11, 12, 13};
    image io = copy_of(3, 2, pixels);
    (void)state;
    augment_flip(&io);
    assert_same_bytes(io.pixels, expected, sizeof expected);
    image_free(&io);
}

static void test_no_bits_are_a_black_image(void **state) {
    image io = large_image();
    (void)state;
    augment_operation_apply(operation_called("Posterize"), &io, NULL, &mean_fill, 0);
    for (size_t i = 0; i < bytes_of(&io); i++) assert_int_equal(io.pixels[i], 0);
    image_free(&io);
}

static void test_grey_stays_grey(void **state) {
    image in = large_image(), scratch = {0};
    const affine_style style = {.how = INTERPOLATION_BICUBIC, .fill = {73, 73, 73}};
    (void)state;
    for (size_t i = 0; i < bytes_of(&in); i++) in.pixels[i] = in.pixels[i / 3 * 3];
    for (int operation = 0; operation < AUGMENT_OPERATIONS; operation++) {
        image io = copy_of(in.width, in.height, in.pixels);
        const double argument = augment_operation_argument(operation, 1, 8.5, 1);
        assert_int_equal(augment_operation_apply(operation, &io, &scratch, &style, argument), 0);
        for (size_t i = 0; i < bytes_of(&io); i++) assert_int_equal(io.pixels[i], io.pixels[i / 3 * 3]);
        image_free(&io);
    }
    image_free(&scratch);
    image_free(&in);
}

static void test_policies_are_read(void **state) {
    augment_recipe recipe = {0};
    static const char *const wrong[] = {"",     "m",        "m9-",     "9",       "m9-mstd", "m9--inc1", "m31",
                                        "n0.5", "n0",       "inc2",    "p1.5",    "x3",      "m9 ",      "m0x",
                                        "rand", "rand-m-1", "m9,inc1", "mstdnan", "minf",    "none-m9",  "p-1"};
    (void)state;
    assert_int_equal(augment_policy_read(&recipe, "rand-m9-mstd0.5-inc1"), 0);
    assert_true(recipe.magnitude == 9 && recipe.magnitude_noise == 0.5 && recipe.increasing == 1);
    assert_true(recipe.layers == 2 && recipe.probability == 0.5 && recipe.strongest == 10);
    assert_int_equal(augment_policy_read(&recipe, "n3-p1-mmax30-m15-mstd101"), 0);
    assert_true(recipe.magnitude == 15 && recipe.magnitude_noise == 101 && recipe.increasing == 0);
    assert_true(recipe.layers == 3 && recipe.probability == 1 && recipe.strongest == 30);
    assert_int_equal(augment_policy_read(&recipe, "none"), 0);
    assert_int_equal(recipe.layers, 0);
    const augment_recipe before = recipe;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        if (augment_policy_read(&recipe, wrong[i]) != USAGE) fail_msg("'%s' was read", wrong[i]);
        assert_non_null(strstr(failure_message(), "is not understood"));
        assert_memory_equal(&recipe, &before, sizeof recipe);
    }
}

static int open_golden(void **state) {
    (void)state;
    golden_read(&golden, "test/golden/augment.golden");
    return 0;
}

static int close_golden(void **state) {
    (void)state;
    golden_free(&golden);
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tiny_images_as_pillow),
        cmocka_unit_test(test_a_large_image_as_pillow),
        cmocka_unit_test(test_arguments_as_timm),
        cmocka_unit_test(test_mixes_as_timm),
        cmocka_unit_test(test_a_batch_of_odd_size_is_mixed),
        cmocka_unit_test(test_flip_turns_rows_around),
        cmocka_unit_test(test_no_bits_are_a_black_image),
        cmocka_unit_test(test_grey_stays_grey),
        cmocka_unit_test(test_policies_are_read),
    };
    return cmocka_run_group_tests(tests, open_golden, close_golden);
}

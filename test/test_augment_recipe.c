/* SPDX-License-Identifier: MIT */
/* The whole recipe of augmentation: a result is a function of the arguments, on however many threads; images of every
 * shape; batches. */
#include "support.h"

#include <math.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "augment/erase.h"
#include "augment/mix.h"
#include "augment/notation.h"
#include "augment/presets.h"
#include "batches/reader.h"
#include "batches/training_order.h"
#include "failure.h"
#include "run/augmentation.h"

static size_t bytes_of(const image *of) {
    return (size_t)of->width * (size_t)of->height * IMAGE_CHANNELS;
}

static image copy_of(int width, int height, const uint8_t *pixels) {
    image copy = {0};
    assert_int_equal(image_reserve(&copy, width, height), 0);
    memcpy(copy.pixels, pixels, bytes_of(&copy));
    return copy;
}

static image large_image(void) {
    static uint8_t pixels[131 * 97 * IMAGE_CHANNELS];
    test_random random = test_random_start(3);
    for (size_t i = 0; i < sizeof pixels; i++) pixels[i] = (uint8_t)test_random_integer(&random, 0, 255);
    return copy_of(131, 97, pixels);
}

/* The whole recipe, strong, so that every part of it happens often. */
static augment_recipe strong_recipe(augment_crop crop) {
    augment_recipe recipe = {.crop = crop, .flip = 1, .jitter = 0.4, .erase = 0.8, .fill = {124, 116, 104}};
    assert_int_equal(augment_policy_read(&recipe, "m9-mstd0.5-inc1-p0.9"), 0);
    return recipe;
}

enum { SIZE = 24, KEYS = 120, THREADS = 3 };

typedef struct result_table {
    uint32_t sums[2][KEYS]; /* of bytes, of floats after erasing */
} result_table;

/* Keys first, first + step … with own memory. */
typedef struct worker {
    const image *in;
    const augment_recipe *recipe;
    int first, step;
    result_table *results;
} worker;

static void *work(void *data) {
    const worker *own = data;
    augment_scratch scratch = {0};
    image out = {0};
    float pixels[SIZE * SIZE * IMAGE_CHANNELS];
    for (int i = own->first; i < KEYS; i += own->step) {
        const augment_key key = {.seed = 5, .epoch = i / 40, .index = i % 40};
        if (augment_image(&out, own->in, own->recipe, SIZE, key, &scratch) != 0) break; /* its sums stay 0 */
        for (size_t k = 0; k < bytes_of(&out); k++) pixels[k] = out.pixels[k];
        augment_erase(pixels, IMAGE_CHANNELS, SIZE, SIZE, own->recipe, key);
        own->results->sums[0][i] = (uint32_t)crc32_z(0, out.pixels, bytes_of(&out));
        own->results->sums[1][i] = (uint32_t)crc32_z(0, (const uint8_t *)pixels, sizeof pixels);
    }
    image_free(&out);
    augment_scratch_free(&scratch);
    return NULL;
}

/* Three threads take the images in turn, each with memory that has seen others before. */
static void test_threads_change_nothing(void **state) {
    static result_table alone, together;
    image in = large_image();
    const augment_recipe recipe = strong_recipe(AUGMENT_CROP_RESIZED);
    pthread_t threads[THREADS];
    worker workers[THREADS];
    int differ = 0;
    (void)state;
    work(&(worker){&in, &recipe, 0, 1, &alone});
    for (int i = 0; i < THREADS; i++) {
        workers[i] = (worker){&in, &recipe, THREADS - 1 - i, THREADS, &together};
        assert_int_equal(pthread_create(&threads[i], NULL, work, &workers[i]), 0);
    }
    for (int i = 0; i < THREADS; i++) assert_int_equal(pthread_join(threads[i], NULL), 0);
    assert_same_bytes(&together, &alone, sizeof alone);
    for (int i = 0; i < KEYS; i++) {
        assert_true(alone.sums[0][i] != 0);
        for (int k = 0; k < i; k++) differ += alone.sums[0][i] != alone.sums[0][k];
    }
    assert_true(differ >= KEYS * (KEYS - 1) / 2 - 3); /* images and epochs have numbers of their own */
    image_free(&in);
}

static void test_a_recipe_of_nothing_changes_nothing(void **state) {
    image in = large_image(), square = copy_of(SIZE, SIZE, in.pixels), out = {0};
    augment_scratch scratch = {0};
    const augment_recipe none = {0};
    const augment_key key = {.seed = 1};
    float pixels[SIZE * SIZE];
    (void)state;
    assert_int_equal(augment_image(&out, &square, &none, SIZE, key, &scratch), 0);
    assert_same_bytes(out.pixels, square.pixels, bytes_of(&square));
    assert_int_equal(augment_image(&out, &in, &none, SIZE, key, &scratch), FAILURE);
    for (int i = 0; i < SIZE * SIZE; i++) pixels[i] = (float)i;
    augment_erase(pixels, 1, SIZE, SIZE, &none, key);
    for (int i = 0; i < SIZE * SIZE; i++) assert_true(pixels[i] == (float)i);
    assert_true(mix_draw(&none, SIZE, SIZE, key).lambda == 1);
    augment_scratch_free(&scratch);
    image_free(&in);
    image_free(&square);
    image_free(&out);
}

/* Shifted by at most 4 each way, every way happens, and what comes in is black. */
static void test_small_images_are_shifted(void **state) {
    enum { EDGE = 9, WAYS = 81 };
    uint8_t pixels[EDGE * EDGE * IMAGE_CHANNELS];
    int seen[WAYS] = {0};
    image out = {0};
    augment_scratch scratch = {0};
    const augment_recipe recipe = {.crop = AUGMENT_CROP_PADDED};
    (void)state;
    for (int i = 0; i < (int)sizeof pixels; i++) pixels[i] = (uint8_t)(i / IMAGE_CHANNELS + 1);
    image in = copy_of(EDGE, EDGE, pixels);
    for (int i = 0; i < 1500; i++) {
        assert_int_equal(augment_image(&out, &in, &recipe, EDGE, (augment_key){.seed = 1, .index = i}, &scratch), 0);
        const int middle = out.pixels[(4 * EDGE + 4) * IMAGE_CHANNELS] - 1; /* it is always inside */
        const int down = 4 - middle / EDGE, right = 4 - middle % EDGE;
        assert_true(abs(down) <= 4 && abs(right) <= 4);
        seen[(down + 4) * EDGE + right + 4]++;
        for (int k = 0; k < EDGE * EDGE; k++) {
            const int y = k / EDGE - down, x = k % EDGE - right;
            const int inside = y >= 0 && y < EDGE && x >= 0 && x < EDGE;
            assert_int_equal(out.pixels[k * IMAGE_CHANNELS + 2], inside ? y * EDGE + x + 1 : 0);
        }
    }
    for (int i = 0; i < WAYS; i++) assert_true(seen[i] > 0);
    augment_scratch_free(&scratch);
    image_free(&in);
    image_free(&out);
}

/* Half of the images, and each of them wholly. */
static void test_images_are_mirrored(void **state) {
    const uint8_t pixels[] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12},
                  mirrored[] = {4, 5, 6, 1, 2, 3, 10, 11, 12, 7, 8, 9};
    image in = copy_of(2, 2, pixels), out = {0};
    augment_scratch scratch = {0};
    int count = 0;
    (void)state;
    for (int i = 0; i < 1000; i++) {
        const augment_key key = {.seed = 4, .index = i};
        assert_int_equal(augment_image(&out, &in, &(augment_recipe){.flip = 1}, 2, key, &scratch), 0);
        const int is_mirrored = out.pixels[0] == 4;
        assert_same_bytes(out.pixels, is_mirrored ? mirrored : pixels, sizeof pixels);
        count += is_mirrored;
    }
    assert_true(count > 437 && count < 563);
    augment_scratch_free(&scratch);
    image_free(&in);
    image_free(&out);
}

/* A grey of 100 changes by the brightness alone, from 60 to 140; colours move apart and together. */
static void test_jitter_reaches_its_ends(void **state) {
    const uint8_t pixels[] = {100, 100, 100}, coloured[] = {110, 100, 90};
    image grey = copy_of(1, 1, pixels), color = copy_of(1, 1, coloured), out = {0};
    augment_scratch scratch = {0};
    double sum = 0;
    int least = 255, most = 0, same = 0, together = 0, apart = 0;
    (void)state;
    for (int i = 0; i < 1000; i++) {
        const augment_key key = {.seed = 4, .index = i};
        const augment_recipe recipe = {.jitter = 0.4};
        assert_int_equal(augment_image(&out, &grey, &recipe, 1, key, &scratch), 0);
        if (out.pixels[0] < least) least = out.pixels[0];
        if (out.pixels[0] > most) most = out.pixels[0];
        sum += out.pixels[0];
        same += out.pixels[0] == 100;
        assert_int_equal(augment_image(&out, &color, &recipe, 1, key, &scratch), 0);
        const int spread = out.pixels[0] - out.pixels[2];
        together += spread < 11;
        apart += spread > 29;
    }
    assert_true(least == 60 && most == 139 && together > 10 && apart > 10);
    assert_true(same < 40);
    assert_true(sum / 1000 > 97 && sum / 1000 < 102);
    augment_scratch_free(&scratch);
    image_free(&grey);
    image_free(&color);
    image_free(&out);
}

/* Images of one pixel, one row, one column, through everything. */
static void test_thin_images_go_through(void **state) {
    static const int sizes[][2] = {{1, 1}, {1, 7}, {9, 1}, {2, 2}, {300, 2}, {3, 200}};
    image large = large_image(), out = {0};
    augment_scratch scratch = {0};
    const augment_recipe recipe = strong_recipe(AUGMENT_CROP_RESIZED);
    float pixel[IMAGE_CHANNELS] = {1, 2, 3};
    (void)state;
    for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++) {
        image in = copy_of(sizes[s][0], sizes[s][1], large.pixels);
        for (int i = 0; i < 40; i++) {
            const augment_key key = {.seed = 3, .index = i};
            assert_int_equal(augment_image(&out, &in, &recipe, 1 + i % 5, key, &scratch), 0);
            assert_int_equal(out.width, 1 + i % 5);
            assert_int_equal(out.height, 1 + i % 5);
            augment_erase(pixel, IMAGE_CHANNELS, 1, 1, &recipe, key);
            const mix_plan plan = mix_draw(&(augment_recipe){.cutmix = 1}, 1, 1, key);
            assert_true(plan.lambda >= 0 && plan.lambda <= 1);
        }
        image_free(&in);
    }
    augment_scratch_free(&scratch);
    image_free(&large);
    image_free(&out);
}

/* Made-up images [COUNT, channels, SIDE, SIDE] with labels 0 to 4. */
enum { COUNT = 37, SIDE = 12, BATCH = 8, CLASSES = 5 };

static image_set made_up_set(int64_t channels) {
    const int64_t numbers = COUNT * channels * SIDE * SIDE;
    image_set set = {.count = COUNT, .channels = channels, .size = SIDE};
    test_random random = test_random_start(4);
    set.pixels = malloc((size_t)numbers);
    set.labels = malloc(COUNT * sizeof *set.labels);
    assert_true(set.pixels && set.labels);
    FOR(i, numbers) set.pixels[i] = (uint8_t)test_random_integer(&random, 0, 255);
    for (int i = 0; i < COUNT; i++) set.labels[i] = i * 3 % CLASSES;
    return set;
}

static const preprocessing statistics = {.mean = {0.5, 0.4, 0.3}, .deviation = {0.2, 0.3, 0.25}};

/* A sum of what the batches of the second epoch hold. */
static uint32_t sum_of_batches(const image_set *set, augmenter *with, int threads, int64_t first_step) {
    training_order order = {
        .images = COUNT, .batch = BATCH, .steps_per_epoch = 4, .first_step = first_step, .end_step = 8, .shuffle = 1};
    image_reader *reader = NULL;
    const tool_batch *batch = NULL;
    uLong sum = 0;
    assert_int_equal(training_order_open(&order), 0);
    const reading what = {set, &statistics, BATCH, threads, with, &order, training_order_plan};
    assert_int_equal(image_reader_open(&reader, &what), 0);
    for (int64_t step = first_step; step < 8; step++) {
        assert_int_equal(image_reader_next(reader, &batch), 0);
        assert_non_null(batch);
        assert_int_equal(batch->count, BATCH);
        assert_non_null(batch->targets);
        if (step < 4) continue;
        sum = crc32_z(sum, (const uint8_t *)batch->images,
                      (size_t)(BATCH * set->channels * SIDE * SIDE) * sizeof *batch->images);
        sum = crc32_z(sum, (const uint8_t *)batch->targets, BATCH * CLASSES * sizeof *batch->targets);
    }
    image_reader_close(reader);
    training_order_close(&order);
    return (uint32_t)sum;
}

static void test_batches_are_the_same_on_any_threads(void **state) {
    augment_recipe recipe = strong_recipe(AUGMENT_CROP_PADDED);
    recipe.mixup = 0.8;
    recipe.cutmix = 1;
    (void)state;
    for (int64_t channels = 1; channels <= 3; channels += 2) {
        image_set set = made_up_set(channels);
        augmenter with;
        assert_int_equal(augmenter_create(&with, &recipe, 1, channels, SIDE, CLASSES, 4), 0);
        const uint32_t expected = sum_of_batches(&set, &with, 1, 0);
        assert_int_equal(sum_of_batches(&set, &with, 4, 0), expected);
        assert_int_equal(sum_of_batches(&set, &with, 3, 4), expected); /* a run that went on at the second epoch */
        with.seed = 2;
        assert_int_not_equal(sum_of_batches(&set, &with, 2, 0), expected);
        augmenter_free(&with);
        image_set_free(&set);
    }
}

static void test_a_batch_that_nothing_changes_is_as_ever(void **state) {
    (void)state;
    for (int64_t channels = 1; channels <= 3; channels += 2) {
        const augment_recipe none = {0};
        image_set set = made_up_set(channels);
        tool_batch plain, augmented;
        augmenter with;
        assert_int_equal(batch_create(&plain, &set, BATCH, statistics.mean, statistics.deviation), 0);
        assert_int_equal(batch_create(&augmented, &set, BATCH, statistics.mean, statistics.deviation), 0);
        assert_int_equal(augmenter_create(&with, &none, 1, channels, SIDE, CLASSES, 1), 0);
        batch_fill(&plain, &set, NULL, 5, BATCH);
        augmented.count = BATCH;
        for (int i = 0; i < BATCH; i++) {
            augmented.ids[i] = 5 + i;
            assert_int_equal(augmenter_make_from(&with, 0, &set, 0, &augmented, i), 0);
        }
        assert_int_equal(augmenter_mix(&with, 0, 0, &augmented), 0);
        assert_null(augmented.targets);
        assert_same_bytes(augmented.images, plain.images,
                          (size_t)(BATCH * channels * SIDE * SIDE) * sizeof *plain.images);
        augmenter_free(&with);
        batch_free(&plain);
        batch_free(&augmented);
        image_set_free(&set);
    }
}

/* Another epoch, another image and another batch draw again. */
static void test_every_batch_draws_anew(void **state) {
    enum { NUMBERS = 3 * SIDE * SIDE };
    augment_recipe recipe = strong_recipe(AUGMENT_CROP_PADDED);
    image_set set = made_up_set(3);
    tool_batch batch;
    augmenter with;
    float images[3][NUMBERS], targets[20][2 * CLASSES];
    int differ = 0;
    (void)state;
    recipe.mixup = 0.8;
    recipe.erase = 0;
    assert_int_equal(batch_create(&batch, &set, 2, statistics.mean, statistics.deviation), 0);
    assert_int_equal(augmenter_create(&with, &recipe, 1, 3, SIDE, CLASSES, 1), 0);
    batch.count = 2;
    batch.labels[1] = 1;
    FOR(epoch, 3) {
        assert_int_equal(augmenter_make_from(&with, 0, &set, epoch, &batch, 0), 0);
        memcpy(images[epoch], batch.images, sizeof images[epoch]);
    }
    assert_true(memcmp(images[0], images[1], sizeof *images) != 0 && memcmp(images[1], images[2], sizeof *images) != 0);
    for (int i = 0; i < 20; i++) {
        assert_int_equal(augmenter_mix(&with, i / 10, i % 10, &batch), 0);
        memcpy(targets[i], batch.targets, sizeof targets[i]);
        for (int k = 0; k < i; k++) differ += memcmp(targets[i], targets[k], sizeof *targets) != 0;
    }
    assert_int_equal(differ, 20 * 19 / 2);
    augmenter_free(&with);
    batch_free(&batch);
    image_set_free(&set);
}

static void test_recipes_come_from_flags(void **state) {
    const double mean[3] = {0.485, 0.456, 0.406};
    tool_arguments arguments = {.augment = "deit"};
    augment_recipe recipe, same;
    (void)state;
    assert_int_equal(augment_options_read(&recipe, &arguments, 0, mean, 3), 0);
    assert_true(recipe.crop == AUGMENT_CROP_RESIZED && recipe.flip == 1 && recipe.layers == 2);
    assert_true(recipe.magnitude == 9 && recipe.magnitude_noise == 0.5 && recipe.increasing == 1);
    assert_true(recipe.erase == 0.25 && recipe.mixup == 0.8 && recipe.cutmix == 1 && recipe.jitter == 0);
    assert_true(recipe.fill[0] == 124 && recipe.fill[1] == 116 && recipe.fill[2] == 104);
    assert_true(augment_changes(&recipe) && augment_recipe_valid(&recipe));
    assert_true(augment_label_smoothing(&arguments) == 0.1);
    assert_int_equal(augment_options_read(&same, &arguments, 0, mean, 3), 0);
    assert_true(augment_recipe_same(&recipe, &same));
    arguments = (tool_arguments){.augment = "crop-flip", .mixup = "0.2", .randaugment = "m5"};
    assert_true(augment_options_given(&arguments));
    assert_int_equal(augment_options_read(&recipe, &arguments, 1, mean, 1), 0);
    assert_true(recipe.crop == AUGMENT_CROP_PADDED && recipe.mixup == 0.2 && recipe.magnitude == 5);
    assert_true(recipe.fill[0] == 124 && recipe.fill[2] == 124);
    arguments = (tool_arguments){0};
    assert_false(augment_options_given(&arguments));
    assert_int_equal(augment_options_read(&recipe, &arguments, 1, mean, 3), 0);
    assert_true(!augment_changes(&recipe) && augment_recipe_valid(&recipe));
    assert_true(augment_label_smoothing(&arguments) == 0);
}

/* Recipes as a damaged file may hold them. */
static void test_other_recipes_are_not_valid(void **state) {
    const double wrong[] = {-1, 1e9, NAN};
    augment_recipe recipe = strong_recipe(AUGMENT_CROP_RESIZED);
    (void)state;
    recipe.interpolation = INTERPOLATION_BICUBIC;
    assert_true(augment_recipe_valid(&recipe));
    double *const fields[] = {&recipe.magnitude, &recipe.magnitude_noise, &recipe.strongest, &recipe.probability,
                              &recipe.jitter,    &recipe.erase,           &recipe.mixup,     &recipe.cutmix};
    int64_t *const counts[] = {&recipe.crop,          &recipe.flip,   &recipe.increasing,
                               &recipe.interpolation, &recipe.layers, &recipe.fill[2]};
    for (size_t k = 0; k < 3; k++) {
        for (size_t i = 0; i < sizeof fields / sizeof *fields; i++) {
            const double kept = *fields[i];
            const augment_recipe before = recipe;
            *fields[i] = wrong[k];
            assert_false(augment_recipe_same(&recipe, &before));
            assert_false(augment_recipe_valid(&recipe));
            *fields[i] = kept;
        }
        for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) {
            const int64_t kept = *counts[i];
            const augment_recipe before = recipe;
            *counts[i] = k == 0 ? -1 : 1000;
            assert_false(augment_recipe_same(&recipe, &before));
            assert_false(augment_recipe_valid(&recipe));
            *counts[i] = kept;
        }
    }
    assert_true(augment_recipe_valid(&recipe));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_threads_change_nothing),
        cmocka_unit_test(test_a_recipe_of_nothing_changes_nothing),
        cmocka_unit_test(test_small_images_are_shifted),
        cmocka_unit_test(test_images_are_mirrored),
        cmocka_unit_test(test_jitter_reaches_its_ends),
        cmocka_unit_test(test_thin_images_go_through),
        cmocka_unit_test(test_batches_are_the_same_on_any_threads),
        cmocka_unit_test(test_a_batch_that_nothing_changes_is_as_ever),
        cmocka_unit_test(test_every_batch_draws_anew),
        cmocka_unit_test(test_recipes_come_from_flags),
        cmocka_unit_test(test_other_recipes_are_not_valid),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: MIT */
/* Augmentation where it draws: its random numbers, and how often what happens, against known distributions and those of
 * torchvision and timm (test/golden/make_augment.py). Seeds are fixed: a test passes always or never. */
#include "support.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "augment/crop.h"
#include "augment/erase.h"
#include "augment/mix.h"
#include "augment/notation.h"
#include "augment/policy.h"
#include "base/random.h"
#include "golden/golden.h"

enum { DRAWS = 20000, QUANTILES = 101, MEASURES = 4 };

static int ascending(const void *a, const void *b) {
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Kolmogorov and Smirnov's distance of `values` [count], which are sorted here, from a distribution. */
static double distance(double *values, int count, double (*cumulative)(double value, double parameter),
                       double parameter) {
    double most = 0;
    qsort(values, (size_t)count, sizeof *values, ascending);
    for (int i = 0; i < count; i++) {
        const double expected = cumulative(values[i], parameter);
        most = fmax(most, fmax(expected - (double)i / count, (double)(i + 1) / count - expected));
        if (isnan(expected)) return NAN;
    }
    return most;
}

/* One in ten thousand of samples lies further away than this. */
static double distance_limit(int count) {
    return 2.23 / sqrt(count);
}

static augment_random stream(int64_t index) {
    return augment_random_start((augment_key){.seed = 11, .epoch = 2, .index = index}, AUGMENT_IMAGE);
}

static double uniform_cumulative(double value, double most) {
    return value / most;
}

static double normal_cumulative(double value, double parameter) {
    (void)parameter;
    return 0.5 * erfc(-value / sqrt(2));
}

/* Of Beta(a, a) by Simpson's rule in the angle whose sine squared is the value. */
static double beta_part(double angle, double a) {
    enum { STEPS = 400 };
    double sum = 0;
    for (int i = 0; i <= STEPS; i++) {
        const double at = angle * i / STEPS, height = pow(sin(at) * cos(at), 2 * a - 1);
        sum += height * (i == 0 || i == STEPS ? 1 : i % 2 ? 4 : 2);
    }
    return sum * angle / STEPS / 3;
}

static double beta_cumulative(double value, double a) {
    const double half_turn = 1.57079632679489661923;
    return beta_part(asin(sqrt(value)), a) / beta_part(half_turn, a);
}

/* The same words as the library's generator, which is checked against published ones. */
static void test_words_are_philox(void **state) {
    const augment_key key = {.seed = 0x123456789ABCDEFU, .epoch = 3, .index = 77};
    augment_random random = augment_random_start(key, AUGMENT_ERASE);
    (void)state;
    for (uint32_t block = 0; block < 5; block++) {
        uint32_t words[4];
        tgr_philox(key.seed, (uint32_t[4]){block, AUGMENT_ERASE, 77, 3}, words);
        for (int i = 0; i < 4; i++) assert_int_equal(augment_word(&random), words[i]);
    }
}

static void test_uniforms_are_uniform(void **state) {
    static double values[DRAWS];
    augment_random random = stream(0);
    (void)state;
    for (int i = 0; i < DRAWS; i++) {
        values[i] = augment_uniform(&random);
        assert_true(values[i] > 0 && values[i] < 1);
    }
    assert_true(distance(values, DRAWS, uniform_cumulative, 1) < distance_limit(DRAWS));
    /* The first number of each stream is as random as those of one stream. */
    for (int i = 0; i < DRAWS; i++) {
        random = stream(i);
        values[i] = augment_between(&random, 0, 7);
    }
    assert_true(distance(values, DRAWS, uniform_cumulative, 7) < distance_limit(DRAWS));
}

static void test_normals_are_normal(void **state) {
    static double values[DRAWS];
    augment_random random = stream(1);
    (void)state;
    for (int i = 0; i < DRAWS; i++) values[i] = augment_normal(&random);
    assert_true(distance(values, DRAWS, normal_cumulative, 0) < distance_limit(DRAWS));
}

static void test_integers_are_even(void **state) {
    enum { SIDES = 7 };
    int counts[SIDES] = {0};
    double chi = 0;
    augment_random random = stream(2);
    (void)state;
    for (int i = 0; i < DRAWS; i++) counts[augment_integer(&random, -3, SIDES - 4) + 3]++;
    for (int i = 0; i < SIDES; i++) chi += pow(counts[i] - (double)DRAWS / SIDES, 2) / ((double)DRAWS / SIDES);
    assert_true(chi < 27.9); /* one in ten thousand, 6 degrees of freedom */
    assert_int_equal(augment_integer(&random, 5, 5), 5);
}

static void test_betas_are_beta(void **state) {
    static const double alphas[] = {0.5, 0.8, 1, 1.0001, 2, 8};
    static double values[DRAWS];
    (void)state;
    for (size_t k = 0; k < sizeof alphas / sizeof *alphas; k++) {
        augment_random random = stream(3);
        const double alpha = alphas[k];
        double sum = 0, squares = 0;
        for (int i = 0; i < DRAWS; i++) {
            values[i] = augment_beta(&random, alpha);
            assert_true(values[i] >= 0 && values[i] <= 1);
            sum += values[i];
            squares += (values[i] - 0.5) * (values[i] - 0.5);
        }
        const double variance = 1 / (4 * (2 * alpha + 1));
        assert_close(sum / DRAWS, 0.5, 4 * sqrt(variance / DRAWS));
        assert_close(squares / DRAWS, variance, 4 * variance / sqrt(DRAWS / 2.0));
        assert_true(distance(values, DRAWS, beta_cumulative, alpha) < distance_limit(DRAWS));
    }
}

/* So small an alpha that powers of a uniform are 0. */
static void test_a_tiny_alpha_gives_all_or_nothing(void **state) {
    augment_random random = stream(4);
    int ones = 0;
    (void)state;
    for (int i = 0; i < 1000; i++) {
        const double value = augment_beta(&random, 1e-4);
        assert_true(value >= 0 && value <= 1);
        ones += value > 0.5;
    }
    assert_true(ones > 430 && ones < 570);
}

static void test_gammas_have_their_moments(void **state) {
    static const double shapes[] = {0.3, 1, 4.5};
    (void)state;
    for (size_t k = 0; k < sizeof shapes / sizeof *shapes; k++) {
        augment_random random = stream(5);
        double sum = 0, squares = 0;
        for (int i = 0; i < DRAWS; i++) {
            const double value = augment_gamma(&random, shapes[k]);
            sum += value;
            squares += (value - shapes[k]) * (value - shapes[k]);
        }
        assert_close(sum / DRAWS, shapes[k], 4 * sqrt(shapes[k] / DRAWS));
        assert_close(squares / DRAWS, shapes[k], shapes[k] * 4 * sqrt((2 + 6 / shapes[k]) / DRAWS));
    }
}

/* How far sorted values [DRAWS] are from the distribution with these quantiles, at the quantiles. */
static double distance_from_quantiles(const double *values, const double *quantiles) {
    double most = 0;
    for (int q = 0; q < QUANTILES; q++) {
        const double at = quantiles[q * MEASURES];
        int below = 0, up_to = 0;
        if (isnan(at)) return NAN;
        for (int i = 0; i < DRAWS; i++) {
            below += values[i] < at - 1e-9;
            up_to += values[i] <= at + 1e-9;
        }
        /* Many values may be the same as the quantile: then both sides of the step are near it. */
        const double share = (double)q / (QUANTILES - 1);
        most = fmax(most, fmax((double)below / DRAWS - share, share - (double)up_to / DRAWS));
    }
    return most;
}

typedef image_region (*region_draw)(augment_random *random, int width, int height);

static image_region draw_erased(augment_random *random, int width, int height) {
    image_region part = {.width = 1, .height = 1};
    augment_erase_draw(random, width, height, &part);
    return part;
}

/* Area, logarithm of the aspect, and middle, against the quantiles of `name`. `slack` is for quantiles that were drawn
 * too. */
static void compare_regions(const char *name, region_draw draw, double slack) {
    static double values[MEASURES][DRAWS];
    golden_file golden;
    golden_read(&golden, "test/golden/augment.golden");
    const golden_record *sizes = golden_find(&golden, "crop.sizes");
    assert_non_null(sizes);
    for (int k = 0; k < sizes->count / 2; k++) {
        const int width = ((const int32_t *)sizes->data)[2 * k], height = ((const int32_t *)sizes->data)[2 * k + 1];
        char record[32];
        snprintf(record, sizeof record, "%s.%d", name, k);
        const golden_record *quantiles = golden_find(&golden, record);
        assert_non_null(quantiles);
        assert_int_equal(quantiles->count, QUANTILES * MEASURES);
        for (int i = 0; i < DRAWS; i++) {
            augment_random random = stream(i);
            const image_region part = draw(&random, width, height);
            assert_true(part.left >= 0 && part.width >= 1 && part.left + part.width <= width);
            assert_true(part.top >= 0 && part.height >= 1 && part.top + part.height <= height);
            values[0][i] = (double)part.width * part.height / ((double)width * height);
            values[1][i] = log((double)part.width / part.height);
            values[2][i] = part.top + part.height / 2.0;
            values[3][i] = part.left + part.width / 2.0;
        }
        for (int m = 0; m < MEASURES; m++) {
            const double far = distance_from_quantiles(values[m], (const double *)quantiles->data + m);
            if (!(far < distance_limit(DRAWS) + slack)) fail_msg("%s, measure %d: %g", record, m, far);
        }
    }
    golden_free(&golden);
}

static void test_crops_as_torchvision(void **state) {
    (void)state;
    compare_regions("crop", augment_crop_draw, 0.005);
}

static void test_erased_parts_as_timm(void **state) {
    (void)state;
    compare_regions("erase", draw_erased, 0.015);
}

/* Never all of the width or of the height. */
static void test_erasing_leaves_something(void **state) {
    int found = 0;
    (void)state;
    for (int i = 0; i < 1000; i++) {
        augment_random random = stream(i);
        image_region part;
        if (!augment_erase_draw(&random, 3, 3, &part)) continue;
        assert_true(part.width < 3 && part.height < 3);
        found++;
    }
    assert_true(found > 900);
}

/* Where no allowed part is likely to fit, it is the middle with the nearest aspect. */
static void test_narrow_images_give_their_middle(void **state) {
    (void)state;
    for (int i = 0; i < 100; i++) {
        augment_random random = stream(i);
        const image_region wide = augment_crop_draw(&random, 3000, 30), high = augment_crop_draw(&random, 30, 3000);
        assert_true(wide.width == 40 && wide.height == 30 && wide.left == 1480 && wide.top == 0);
        assert_true(high.width == 30 && high.height == 40 && high.left == 0 && high.top == 1480);
    }
}

static augment_recipe policy_of(const char *text) {
    augment_recipe recipe = {0};
    assert_int_equal(augment_policy_read(&recipe, text), 0);
    return recipe;
}

/* Each operation equally often, half of the time, in both directions and with both interpolations. */
static void test_operations_are_even(void **state) {
    const augment_recipe recipe = policy_of("m9-mstd0.5-inc1");
    int counts[AUGMENT_OPERATIONS] = {0}, applied = 0, turned_left = 0, bicubic = 0;
    double chi = 0;
    (void)state;
    for (int i = 0; i < DRAWS; i++) {
        augment_random random = stream(i);
        const augment_choice choice = augment_policy_choose(&recipe, &random);
        if (choice.operation < 0) continue;
        applied++;
        counts[choice.operation]++;
        turned_left += choice.operation == 3 && choice.argument > 0;
        bicubic += choice.how == INTERPOLATION_BICUBIC;
    }
    const double each = (double)applied / AUGMENT_OPERATIONS;
    for (int i = 0; i < AUGMENT_OPERATIONS; i++) chi += pow(counts[i] - each, 2) / each;
    assert_true(chi < 42.6); /* one in ten thousand, 14 degrees of freedom */
    assert_close(applied, DRAWS / 2.0, 4 * sqrt(DRAWS / 4.0));
    assert_close(turned_left, counts[3] / 2.0, 4 * sqrt(counts[3] / 4.0));
    assert_close(bicubic, applied / 2.0, 4 * sqrt(applied / 4.0));
}

static double magnitude_cumulative(double value, double deviation) {
    return normal_cumulative((value - 5) / deviation, 0);
}

/* Seen in the angle of Rotate, 3 degrees for each unit. */
static void collect_magnitudes(const char *policy, double *values, int count) {
    const augment_recipe recipe = policy_of(policy);
    for (int i = 0, taken = 0; taken < count; i++) {
        augment_random random = stream(i);
        const augment_choice choice = augment_policy_choose(&recipe, &random);
        if (choice.operation == 3) values[taken++] = fabs(choice.argument) / 3;
    }
}

static void test_magnitudes_are_drawn(void **state) {
    enum { COUNT = 2000 };
    double values[COUNT];
    int cut = 0;
    (void)state;
    collect_magnitudes("m5-mstd0.5-p1", values, COUNT);
    assert_true(distance(values, COUNT, magnitude_cumulative, 0.5) < distance_limit(COUNT));
    collect_magnitudes("m8-mstd101", values, COUNT);
    assert_true(distance(values, COUNT, uniform_cumulative, 8) < distance_limit(COUNT));
    collect_magnitudes("m9-mstd0.5", values, COUNT);
    for (int i = 0; i < COUNT; i++) {
        assert_true(values[i] <= 10);
        cut += values[i] == 10;
    }
    assert_close(cut, COUNT * normal_cumulative(-2, 0), 4 * sqrt(COUNT * 0.0228)); /* two deviations up and more */
}

/* Both mixes half of the time; the shares of Mixup as they are drawn, the areas of CutMix within what they may be. */
static void test_mixes_are_drawn(void **state) {
    static double values[DRAWS];
    const augment_recipe both = {.mixup = 0.8, .cutmix = 1}, cut = {.cutmix = 1};
    int mixed = 0;
    double sum = 0;
    (void)state;
    for (int i = 0; i < DRAWS; i++) {
        const mix_plan plan = mix_draw(&both, 32, 24, (augment_key){.seed = 1, .epoch = 4, .index = i});
        assert_true(plan.lambda >= 0 && plan.lambda <= 1);
        if (!plan.cut) values[mixed++] = plan.lambda;
    }
    assert_close(mixed, DRAWS / 2.0, 4 * sqrt(DRAWS / 4.0));
    assert_true(distance(values, mixed, beta_cumulative, 0.8) < distance_limit(mixed));
    for (int i = 0; i < DRAWS; i++) {
        const mix_plan plan = mix_draw(&cut, 32, 24, (augment_key){.seed = 1, .index = i});
        const int area = (plan.bottom - plan.top) * (plan.right - plan.left);
        assert_true(plan.cut && plan.top >= 0 && plan.left >= 0 && plan.bottom <= 32 && plan.right <= 24);
        assert_true(plan.lambda == 1 - area / (32.0 * 24));
        sum += 1 - plan.lambda;
    }
    /* A square of side s in the unit square around a uniform middle keeps (s - s²/4)² of it; s² is uniform. */
    assert_close(sum / DRAWS, 1.0 / 2 - 1.0 / 5 + 1.0 / 48, 0.03);
}

/* A quarter of the images, with noise that is standard normal. */
static void test_erasing_fills_with_noise(void **state) {
    enum { SIDE = 40, NUMBERS = 3 * SIDE * SIDE, IMAGES = 4000 };
    static double noise[DRAWS];
    float pixels[NUMBERS];
    const augment_recipe recipe = {.erase = 0.25};
    int erased = 0, taken = 0;
    (void)state;
    for (int i = 0; i < IMAGES; i++) {
        for (int k = 0; k < NUMBERS; k++) pixels[k] = 100;
        augment_erase(pixels, 3, SIDE, SIDE, &recipe, (augment_key){.seed = 9, .index = i});
        int touched = 0;
        for (int k = 0; k < NUMBERS; k++) {
            if (pixels[k] == 100) continue;
            touched++;
            if (taken < DRAWS) noise[taken++] = pixels[k];
        }
        assert_int_equal(touched % 3, 0);
        erased += touched > 0;
    }
    assert_close(erased, 0.25 * IMAGES, 4 * sqrt(IMAGES * 0.25 * 0.75));
    assert_int_equal(taken, DRAWS);
    assert_true(distance(noise, DRAWS, normal_cumulative, 0) < distance_limit(DRAWS));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_words_are_philox),
        cmocka_unit_test(test_uniforms_are_uniform),
        cmocka_unit_test(test_normals_are_normal),
        cmocka_unit_test(test_integers_are_even),
        cmocka_unit_test(test_betas_are_beta),
        cmocka_unit_test(test_a_tiny_alpha_gives_all_or_nothing),
        cmocka_unit_test(test_gammas_have_their_moments),
        cmocka_unit_test(test_crops_as_torchvision),
        cmocka_unit_test(test_erased_parts_as_timm),
        cmocka_unit_test(test_erasing_leaves_something),
        cmocka_unit_test(test_narrow_images_give_their_middle),
        cmocka_unit_test(test_operations_are_even),
        cmocka_unit_test(test_magnitudes_are_drawn),
        cmocka_unit_test(test_mixes_are_drawn),
        cmocka_unit_test(test_erasing_fills_with_noise),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

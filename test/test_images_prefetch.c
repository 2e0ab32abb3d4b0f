/* SPDX-License-Identifier: MIT */
/* Batches made ahead: the same for any number of threads, from any step on; failures by name; an end at any moment. */
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "batches/prefetch.h"
#include "batches/reader.h"
#include "batches/training_order.h"
#include "data/load.h"
#include "failure.h"
#include "folder_support.h"
#include "images/file.h"

enum { BATCHES = 40, MOST = 9, DEPTH = 3, SIZE = 16 };
static const int thread_counts[] = {1, 2, 7};

/* Work that can be checked by its numbers: batch n has 1 + n % MOST images, image k of it is 100 n + k. */
typedef struct counting {
    int64_t planned, fails_in, fails_at; /* batch and place from which on making fails; -1: never */
    atomic_int made;
    int finishes, disorder;
} counting;

static void count_plan(void *user, int64_t number, tool_batch *batch) {
    counting *of = user;
    of->disorder += number != of->planned++; /* by one thread at a time, or the sanitizer sees it */
    batch->count = number < BATCHES ? 1 + number % MOST : 0;
    batch->number = number;
    FOR(k, batch->count) batch->ids[k] = 100 * number + k;
}

static int count_make(void *user, int worker, tool_batch *batch, int64_t place) {
    counting *of = user;
    (void)worker;
    if (batch->ids[place] % 3 == 0) usleep(200); /* so that images are done out of order */
    batch->labels[place] = (int32_t)batch->ids[place];
    atomic_fetch_add(&of->made, 1);
    if (batch->number == of->fails_in && place >= of->fails_at) {
        if (place == of->fails_at) usleep(2000); /* the first to fail is the last to say so */
        return fail_with("image %d is broken", (int)batch->ids[place]);
    }
    return 0;
}

static int count_finish(void *user, tool_batch *batch) {
    const counting *of = user;
    FOR(k, batch->count) batch->labels[k] += of->finishes;
    return 0;
}

static void make_batches(tool_batch *batches) {
    const image_set set = {.channels = 3, .size = 1};
    const double zero[3] = {0}, one[3] = {1, 1, 1};
    for (int i = 0; i < DEPTH; i++) assert_int_equal(batch_create(&batches[i], &set, MOST, zero, one), 0);
}

/* Takes `take` batches, then closes; expects the failure in batch of->fails_in. */
static void run_counting(counting *of, int threads, int take) {
    tool_batch batches[DEPTH];
    prefetch *ahead = NULL;
    const prefetch_work work = {of, count_plan, count_make, of->finishes ? count_finish : NULL};
    make_batches(batches);
    assert_int_equal(prefetch_open(&ahead, &work, batches, DEPTH, threads), 0);
    FOR(n, take) {
        const tool_batch *batch = NULL;
        const int result = prefetch_next(ahead, &batch);
        if (of->fails_in >= 0 && n >= of->fails_in) {
            char wanted[64];
            snprintf(wanted, sizeof wanted, "image %d is broken", (int)(100 * of->fails_in + of->fails_at));
            assert_int_equal(result, FAILURE);
            assert_null(batch);
            assert_string_equal(failure_message(), wanted);
            continue;
        }
        assert_int_equal(result, 0);
        if (n >= BATCHES) {
            assert_null(batch);
            continue;
        }
        assert_int_equal(batch->count, 1 + n % MOST);
        FOR(k, batch->count) assert_int_equal(batch->labels[k], 100 * n + k + of->finishes);
    }
    prefetch_close(ahead);
    assert_int_equal(of->disorder, 0);
    for (int i = 0; i < DEPTH; i++) batch_free(&batches[i]);
}

static void test_order_and_end(void **state) {
    (void)state;
    for (int i = 0; i < 3; i++) {
        for (int finishes = 0; finishes < 2; finishes++) {
            counting of = {.fails_in = -1, .finishes = finishes * 7};
            run_counting(&of, thread_counts[i], BATCHES + 2);
        }
    }
}

static void test_closed_at_any_moment(void **state) {
    (void)state;
    for (int take = 0; take < 12; take++) {
        for (int i = 0; i < 3; i++) {
            counting of = {.fails_in = -1};
            run_counting(&of, thread_counts[i], take);
            assert_true(of.planned <= take + DEPTH); /* no further ahead than there is room */
        }
    }
}

static void test_first_failure_of_a_batch(void **state) {
    (void)state;
    for (int i = 0; i < 3; i++) {
        for (int at = 0; at < 5; at++) {
            counting of = {.fails_in = 4 + at, .fails_at = at};
            run_counting(&of, thread_counts[i], 12);
        }
    }
}

/* A copy of a golden image, under another name. */
static void copy_image(const char *from, const char *to) {
    char name[128];
    snprintf(name, sizeof name, "golden/images/%s", from);
    char *source = test_path_beside(__FILE__, name);
    const test_file file = test_file_read(source);
    test_file_write(test_path(to), file.bytes, file.size);
    free(file.bytes);
    free(source);
}

static int start(void **state) {
    static const char *const images[] = {"jpeg_420.jpg", "noise.png",     "tall.png",
                                         "smooth.png",   "jpeg_grey.jpg", "png_3_4_interlaced.png",
                                         "jpeg_cmyk.jpg"};
    test_folder_setup(state);
    for (int c = 0; c < 3; c++) {
        char name[64];
        snprintf(name, sizeof name, "c%d", c);
        test_make_folder(name);
        for (int i = 0; i < 7; i++) {
            snprintf(name, sizeof name, "c%d/%d.%s", c, i, strrchr(images[(i + c) % 7], '.') + 1);
            copy_image(images[(i + c) % 7], name);
        }
    }
    return 0;
}

/* Everything that batches from `first_step` on hold, one after the other: pixels, labels, ids. */
typedef struct transcript {
    float pixels[64][3 * SIZE * SIZE];
    int32_t labels[64];
    int64_t ids[64];
    int64_t count;
} transcript;

static int read_all(transcript *to, const image_set *set, const augment_recipe *recipe, int threads, int64_t first) {
    int result = 0;
    preprocessing how;
    augmenter with = {0};
    image_reader *reader = NULL;
    training_order order = {.images = set->count,
                            .batch = 4,
                            .steps_per_epoch = set->count / 4,
                            .first_step = first,
                            .end_step = 12,
                            .shuffle = 1,
                            .seed = 5};
    preprocessing_defaults(&how);
    if (recipe) TRY(augmenter_create(&with, recipe, 11, 3, SIZE, 3, threads));
    TRY(training_order_open(&order));
    const reading what = {.set = set,
                          .how = &how,
                          .batch = 4,
                          .threads = threads,
                          .augment = recipe ? &with : NULL,
                          .user = &order,
                          .plan = training_order_plan};
    TRY(image_reader_open(&reader, &what));
    memset(to, 0, sizeof *to);
    for (;;) {
        const tool_batch *batch = NULL;
        TRY(image_reader_next(reader, &batch));
        if (!batch) break;
        for (int64_t k = 0; k < batch->count; k++, to->count++) {
            memcpy(to->pixels[to->count], batch->images + k * 3 * SIZE * SIZE, sizeof to->pixels[0]);
            to->labels[to->count] = batch->labels[k];
            to->ids[to->count] = batch->ids[k];
        }
    }
done:
    image_reader_close(reader);
    training_order_close(&order);
    augmenter_free(&with);
    return result;
}

static void load(dataset *data) {
    const folder_options how = {.held_out = 0.05, .threads = 3};
    assert_int_equal(dataset_load(data, test_folder, "folder", 1, &how), 0);
    assert_int_equal(data->train.count, 18);
    data->train.size = SIZE;
}

static transcript reference, other;

/* Three epochs of four steps, plain and with everything that augmentation can do. */
static void test_same_for_any_threads(void **state) {
    (void)state;
    dataset data;
    load(&data);
    const augment_recipe all = {.crop = AUGMENT_CROP_RESIZED,
                                .flip = 1,
                                .interpolation = INTERPOLATION_BICUBIC,
                                .layers = 2,
                                .magnitude = 9,
                                .magnitude_noise = 0.5,
                                .strongest = 10,
                                .probability = 0.5,
                                .increasing = 1,
                                .erase = 0.25,
                                .mixup = 0.8,
                                .cutmix = 1};
    for (int augmented = 0; augmented < 2; augmented++) {
        const augment_recipe *recipe = augmented ? &all : NULL;
        assert_int_equal(read_all(&reference, &data.train, recipe, 1, 0), 0);
        assert_int_equal(reference.count, 48);
        for (int i = 0; i < 48; i++) assert_int_equal(reference.labels[i], data.train.labels[reference.ids[i]]);
        for (int i = 1; i < 3; i++) {
            assert_int_equal(read_all(&other, &data.train, recipe, thread_counts[i], 0), 0);
            assert_memory_equal(&reference, &other, sizeof other);
        }
        assert_int_equal(read_all(&other, &data.train, recipe, 2, 5), 0);
        assert_int_equal(other.count, 28);
        assert_memory_equal(other.pixels, reference.pixels[20], 28 * sizeof other.pixels[0]);
        assert_memory_equal(other.labels, reference.labels + 20, 28 * sizeof other.labels[0]);
    }
    dataset_free(&data);
}

/* Without augmentation a batch holds what evaluation sees: the prepared bytes, normalised, in planes. */
static void test_plain_images(void **state) {
    (void)state;
    dataset data;
    preprocessing how;
    image_loader loader = {0};
    image fitted = {0};
    preprocessing_defaults(&how);
    load(&data);
    assert_int_equal(read_all(&reference, &data.train, NULL, 2, 0), 0);
    FOR(i, reference.count) {
        const char *name = data.train.files.files[reference.ids[i]].name;
        assert_int_equal(image_file_decode(&loader, test_folder, name, 0), 0);
        assert_int_equal(preprocess_image(&loader.memory, &how, &loader.decoded, SIZE, &fitted), 0);
        for (int k = 0; k < 3 * SIZE * SIZE; k++) {
            const int channel = k / (SIZE * SIZE), pixel = k % (SIZE * SIZE);
            const double wanted =
                (fitted.pixels[3 * pixel + channel] / 255.0 - how.mean[channel]) / how.deviation[channel];
            assert_close(reference.pixels[i][k], wanted, 1e-6);
        }
    }
    image_loader_free(&loader);
    image_free(&fitted);
    dataset_free(&data);
}

/* A file that is damaged after it was looked at ends the run with its name, whoever comes upon it. */
static void test_damaged_on_the_way(void **state) {
    (void)state;
    dataset data;
    char wanted[512];
    load(&data);
    assert_int_equal(read_all(&reference, &data.train, NULL, 1, 0), 0);
    const char *name = data.train.files.files[reference.ids[9]].name;
    snprintf(wanted, sizeof wanted, "%s: ", name);
    copy_image(strstr(name, ".png") ? "broken_cut.png" : "broken_cut.jpg", name);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(read_all(&other, &data.train, NULL, thread_counts[i], 0), FAILURE);
        assert_non_null(strstr(failure_message(), wanted));
        assert_non_null(strstr(failure_message(), "truncated"));
        assert_int_equal(other.count, 8); /* the batches before it */
    }
    dataset_free(&data);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_order_and_end),
        cmocka_unit_test(test_closed_at_any_moment),
        cmocka_unit_test(test_first_failure_of_a_batch),
        cmocka_unit_test_setup_teardown(test_same_for_any_threads, start, test_folder_teardown),
        cmocka_unit_test_setup_teardown(test_plain_images, start, test_folder_teardown),
        cmocka_unit_test_setup_teardown(test_damaged_on_the_way, start, test_folder_teardown)};
    return cmocka_run_group_tests_name("prefetch", tests, NULL, NULL);
}

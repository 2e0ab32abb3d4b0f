/* SPDX-License-Identifier: MIT */
/* What the tool knows of a model's images and classes: told, assumed, absent, unknown and unreadable are five things.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "failure.h"
#include "model_support.h"
#include "models/class_names.h"
#include "models/run_state.h"
#include "models/saved_preprocessing.h"
#include "tgrmoe/checkpoint.h"

static const char sizes[] = "image_size=8 patch_size=4 channels=1 classes=2 embed_dim=8 depth=1 heads=1";

/* A checkpoint with a model and a part of that name, or none. */
static char *make_checkpoint(const char *part, const void *bytes, size_t size) {
    tgr_context *context = test_context(1, 1);
    tgr_model *model = test_model(context, sizes);
    tgr_checkpoint *file = NULL;
    char *path = test_file_create();
    unsigned char copy[1024];
    assert_true(size <= sizeof copy);
    memcpy(copy, bytes, size);
    assert_status(TGR_OK, tgr_checkpoint_create(&file, context));
    assert_status(TGR_OK, tgr_checkpoint_add_model(file, "model", model));
    if (part) assert_status(TGR_OK, tgr_checkpoint_add_bytes(file, part, copy, size));
    assert_status(TGR_OK, tgr_checkpoint_save(file, path));
    tgr_checkpoint_free(file);
    tgr_model_free(model);
    tgr_context_free(context);
    return path;
}

static run_state sound_state(void) {
    return (run_state){.version = RUN_STATE_VERSION,
                       .batch = 1,
                       .images = 1,
                       .mean = {0.3},
                       .deviation = {0.4},
                       .augment = {.interpolation = INTERPOLATION_BICUBIC}};
}

static void test_a_run_tells_how_its_images_were(void **state) {
    (void)state;
    const run_state run = sound_state();
    const tool_arguments none = {0};
    preprocessing how;
    char *path = make_checkpoint("host", &run, sizeof run);
    assert_int_equal(model_file_preprocessing(&how, path, &none), 0);
    assert_true(how.mean[0] == 0.3 && how.deviation[2] == 0.4 && how.crop_pct == 1);
    assert_int_equal(how.assumed, 0);
    test_file_remove(path);
}

static void test_absent_is_assumed(void **state) {
    (void)state;
    const tool_arguments none = {0}, some = {.crop = "0.8", .mean = "0.1"};
    preprocessing how;
    name_list names;
    char *path = make_checkpoint(NULL, "", 0);
    assert_int_equal(model_file_preprocessing(&how, path, &none), 0);
    assert_int_equal(how.assumed, ASSUMED_ALL);
    assert_int_equal(model_file_preprocessing(&how, path, &some), 0);
    assert_int_equal(how.assumed, ASSUMED_STD | ASSUMED_INTERPOLATION);
    assert_int_equal(class_names_load(&names, path), 0);
    assert_int_equal(names.count, 0);
    test_file_remove(path);
}

/* A different version's record has the numbers, but they cannot be read: no assumption replaces them. */
static void test_unknown_is_an_error(void **state) {
    (void)state;
    run_state run = sound_state();
    const tool_arguments none = {0}, told = {.mean = "0.1", .deviation = "0.2"};
    preprocessing how;
    run.version++;
    char *paths[] = {make_checkpoint("host", &run, sizeof run), make_checkpoint("host", &run, sizeof run - 8),
                     make_checkpoint("preprocessing", &run, 16)};
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
        assert_int_equal(model_file_preprocessing(&how, paths[i], &none), FAILURE);
        assert_true(strstr(failure_message(), "host") || strstr(failure_message(), "preprocessing"));
        assert_int_equal(model_file_preprocessing(&how, paths[i], &told), 0); /* the user's word is enough */
        assert_true(how.mean[0] == 0.1 && how.deviation[0] == 0.2);
        test_file_remove(paths[i]);
    }
}

/* Opens every descriptor that the process may have. */
static int exhaust(int *descriptors, int most) {
    int count = 0;
    while (count < most && (descriptors[count] = open("/dev/null", O_RDONLY)) >= 0) count++;
    return count;
}

static void test_unreadable_is_an_error(void **state) {
    (void)state;
    const run_state run = sound_state();
    const tool_arguments none = {0};
    static int descriptors[4096];
    struct rlimit before, few;
    preprocessing how;
    name_list names;
    char *path = make_checkpoint("host", &run, sizeof run);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    few = (struct rlimit){64, before.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
    const int count = exhaust(descriptors, 4096);
    const int results[] = {model_file_preprocessing(&how, path, &none), class_names_load(&names, path)};
    for (int i = 0; i < count; i++) close(descriptors[i]);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    for (size_t i = 0; i < sizeof results / sizeof *results; i++) assert_int_equal(results[i], FAILURE);
    test_file_remove(path);
}

/* A message may be made of the last one. */
static void test_messages_nest(void **state) {
    (void)state;
    failure_record("%s", "inside");
    failure_record("outside: %s", failure_message());
    assert_string_equal(failure_message(), "outside: inside");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_run_tells_how_its_images_were),
        cmocka_unit_test(test_absent_is_assumed),
        cmocka_unit_test(test_unknown_is_an_error),
        cmocka_unit_test(test_unreadable_is_an_error),
        cmocka_unit_test(test_messages_nest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

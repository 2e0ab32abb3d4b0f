/* SPDX-License-Identifier: MIT */
/* Folders of images: what is found in them, in which order, with which label, and what is refused by name. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "data/load.h"
#include "failure.h"
#include "folder_support.h"
#include "models/class_names.h"

/* A sound image of one pixel. */
static void write_image(const char *name) {
    static const uint8_t png[] = {0x89, 'P',  'N',  'G',  0x0D, 0x0A, 0x1A, 0x0A, 0,    0,    0,    13,   'I',  'H',
                                  'D',  'R',  0,    0,    0,    1,    0,    0,    0,    1,    8,    0,    0,    0,
                                  0,    0x3A, 0x7E, 0x9B, 0x55, 0,    0,    0,    10,   'I',  'D',  'A',  'T',  0x78,
                                  0x9C, 0x63, 0x60, 0x00, 0x00, 0x00, 0x02, 0x00, 0x01, 0x48, 0xAF, 0xA4, 0x71, 0,
                                  0,    0,    0,    'I',  'E',  'N',  'D',  0xAE, 0x42, 0x60, 0x82};
    test_file_write(test_path(name), png, sizeof png);
}

static folder_options defaults(void) {
    return (folder_options){.held_out = 0.5, .threads = 2};
}

static void load_fails(int line, const folder_options *how, const char *wanted, const char *also) {
    dataset data;
    memset(&data, 0x5A, sizeof data);
    if (dataset_load(&data, test_folder, "folder", 1, how) == 0) fail_msg("line %d: it loaded", line);
    if (!strstr(failure_message(), wanted) || !strstr(failure_message(), also)) {
        fail_msg("line %d: no '%s' and '%s' in: %s", line, wanted, also, failure_message());
    }
    for (size_t i = 0; i < sizeof data; i++) assert_int_equal(((const unsigned char *)&data)[i], 0x5A);
}
#define assert_load_fails(how, wanted, also) load_fails(__LINE__, how, wanted, also)

static void assert_files(const image_set *set, const char *const *names, const int *labels, int count) {
    assert_int_equal(set->count, count);
    for (int i = 0; i < count; i++) {
        assert_string_equal(set->files.files[i].name, names[i]);
        assert_int_equal(set->labels[i], labels[i]);
    }
}

/* Classes and files come in the order of torchvision's ImageFolder. */
static void test_order_of_image_folder(void **state) {
    (void)state;
    static const char *const folders[] = {"train",       "train/b",     "train/B", "train/a", "train/a/z",
                                          "train/a/z-1", "train/a/z/q", "val",     "val/b"};
    static const char *const images[] = {"a/z-1/1.png", "a/z/q/1.png", "a/z/2.PNG",  "a/z/10.png", "a/y.JpEg",
                                         "a/x.jpg",     "b/1.png",     "B/.png.png", "B/..png",    "B/\xFF.png"};
    static const char *const ignored[] = {"a/readme.txt", "a/x.jpg.bak", "a/jpg", "a/.hidden.png", "top.png"};
    static const char *const wanted[] = {"B/\xFF.png", "a/x.jpg",     "a/y.JpEg",    "a/z/10.png",
                                         "a/z/2.PNG",  "a/z-1/1.png", "a/z/q/1.png", "b/1.png"};
    static const int labels[] = {0, 1, 1, 1, 1, 1, 1, 2};
    char name[512];
    dataset data;
    for (size_t i = 0; i < sizeof folders / sizeof *folders; i++) test_make_folder(folders[i]);
    for (size_t i = 0; i < sizeof images / sizeof *images; i++) {
        snprintf(name, sizeof name, "train/%s", images[i]);
        write_image(name);
    }
    for (size_t i = 0; i < sizeof ignored / sizeof *ignored; i++) {
        snprintf(name, sizeof name, "train/%s", ignored[i]);
        test_file_write(test_path(name), "no image", 8);
    }
    test_make_folder("train/.cache");
    test_file_write(test_path("train/.cache/x.jpg"), "no image", 8);
    write_image("val/b/0.png");
    assert_int_equal(dataset_load(&data, test_folder, NULL, 1, NULL), 0);
    assert_int_equal(data.kind, DATASET_FOLDER);
    assert_int_equal(data.classes, 3);
    assert_string_equal(data.names.names[0], "B");
    assert_files(&data.train, wanted, labels, 8);
    assert_files(&data.test, (const char *const[]){"b/0.png"}, (const int[]){2}, 1);
    assert_int_equal(dataset_keep_labels(&data, 1, 2), 0);
    assert_files(&data.train, wanted + 1, labels + 1, 7);
    image_set_limit(&data.train, 3);
    assert_files(&data.train, (const char *const[]){"a/x.jpg", "a/z/10.png", "a/z-1/1.png"}, (const int[]){1, 1, 1}, 3);
    dataset_free(&data);
    test_make_folder("val/c");
    assert_load_fails(NULL, "val/c", "is not a class");
    test_make_folder("train/c");
    assert_load_fails(NULL, "train/c", "holds no .jpg");
}

static void test_odd_names_and_kinds(void **state) {
    (void)state;
    folder_options how = defaults();
    dataset data;
    test_make_folder("line\nbreak");
    test_make_folder("line\nbreak/x.jpg"); /* a folder with an image's name */
    test_make_folder("line\nbreak/empty");
    write_image("line\nbreak/x.jpg/1.png");
    write_image("line\nbreak/2\n\x1B[31m.png");
    test_make_folder("y.png");
    write_image("y.png/1.png");
    write_image("y.png/2.png");
    assert_int_equal(symlink("..", test_path("y.png/loop")), 0);
    assert_int_equal(symlink(".", test_path("y.png/self")), 0);
    assert_int_equal(dataset_load(&data, test_folder, "folder", 1, &how), 0);
    assert_int_equal(data.classes, 2);
    assert_int_equal(data.train.count + data.test.count, 4);
    dataset_free(&data);
    /* A pipe would block whoever opens it for reading. */
    assert_int_equal(mkfifo(test_path("y.png/pipe.jpg"), 0600), 0);
    assert_load_fails(&how, "y.png/pipe.jpg", "not a regular file");
    unlink(test_path("y.png/pipe.jpg"));
    assert_int_equal(symlink("nowhere", test_path("y.png/dangling.jpg")), 0);
    assert_load_fails(&how, "y.png/dangling.jpg", "No such file");
    test_file_write(test_path("line\nbreak/3\n.jpg"), "", 0);
    how.skip_damaged = 1;
    assert_int_equal(dataset_load(&data, test_folder, "folder", 1, &how), 0);
    assert_int_equal(data.train.count + data.test.count, 4);
    dataset_free(&data);
    unlink(test_path("y.png/dangling.jpg"));
    how.skip_damaged = 0;
    assert_load_fails(&how, "line\\x0Abreak/3\\x0A.jpg", "is empty");
}

/* Classes may be called as shares of data sets are; where it cannot be told which is meant, it is not guessed. */
static void test_classes_called_train_and_test(void **state) {
    (void)state;
    const folder_options how = defaults();
    static const char *const folders[] = {"train", "bus", "test"};
    dataset data;
    char name[512];
    for (int i = 0; i < 3; i++) {
        test_make_folder(folders[i]);
        for (int k = 0; k < 2; k++) {
            snprintf(name, sizeof name, "%s/%d.png", folders[i], k);
            write_image(name);
        }
    }
    assert_int_equal(dataset_load(&data, test_folder, NULL, 1, &how), 0);
    assert_int_equal(data.classes, 3);
    assert_string_equal(data.names.names[2], "train");
    assert_int_equal(data.train.count, 3);
    dataset_free(&data);
    test_make_folder("train/steam");
    write_image("train/steam/1.png");
    assert_load_fails(&how, "/bus: holds images like a class", "folders train, val or test with classes");
    unlink(test_path("bus/0.png"));
    unlink(test_path("bus/1.png"));
    assert_int_equal(rmdir(test_path("bus")), 0);
    assert_int_equal(rmdir(test_path("train/steam")), -1); /* it holds an image */
    unlink(test_path("train/steam/1.png"));
    assert_int_equal(rmdir(test_path("train/steam")), 0);
    assert_load_fails(&how, "/test: has no folders; there must be one for each class", "");
}

/* Images that other programs would read are counted; texts are not. */
static void test_other_kinds_are_counted(void **state) {
    (void)state;
    name_list classes = {0};
    folder_files files = {0};
    test_make_folder("a");
    write_image("a/1.png");
    static const char *const others[] = {"a/1.webp", "a/2.WebP", "a/3.bmp", "a/readme.txt", "a/.4.webp"};
    for (int i = 0; i < 5; i++) test_file_write(test_path(others[i]), "x", 1);
    assert_int_equal(folder_classes(&classes, test_folder), 0);
    assert_int_equal(folder_scan(&files, test_folder, &classes, 0), 0);
    assert_int_equal(files.count, 1);
    for (int i = 0; i < FOLDER_UNREAD; i++) {
        const char *ending = folder_unread[i];
        assert_int_equal(files.unread[i], strcmp(ending, ".webp") == 0 ? 2 : strcmp(ending, ".bmp") == 0 ? 1 : 0);
    }
    folder_files_free(&files);
    name_list_free(&classes);
}

static void test_unreadable(void **state) {
    (void)state;
    const folder_options how = defaults();
    test_make_folder("a");
    write_image("a/1.png");
    write_image("a/2.png");
    test_file_write(test_path("a/3.png"), "RIFF\0\0\0\0WEBPVP8 ", 16);
    assert_load_fails(&how, "a/3.png", "but WebP");
    unlink(test_path("a/3.png"));
    if (geteuid() == 0) skip(); /* who may read everything */
    chmod(test_path("a/2.png"), 0);
    assert_load_fails(&how, "a/2.png", "Permission denied");
    chmod(test_path("a"), 0);
    assert_load_fails(&how, "/a", "Permission denied");
}

static void test_nothing_there(void **state) {
    (void)state;
    const folder_options how = defaults();
    assert_load_fails(&how, test_folder, "no folders");
    test_make_folder("a");
    assert_load_fails(&how, "/a", "holds no .jpg");
    write_image("a/1.png");
    assert_load_fails(&how, test_folder, "to spare");
    test_make_folder("val");
    assert_load_fails(&how, "/val", "no folder train");
}

/* Each class gives its share; the same files whatever else is there; a larger share holds a smaller one. */
static void test_held_out(void **state) {
    (void)state;
    enum { IMAGES = 40 };
    char name[512];
    folder_options how = {.held_out = 0.1, .threads = 1};
    dataset few, many;
    for (int c = 0; c < 3; c++) {
        snprintf(name, sizeof name, "class%d", c);
        test_make_folder(name);
        for (int i = 0; i < (c == 2 ? 2 : IMAGES); i++) {
            snprintf(name, sizeof name, "class%d/%d.png", c, i);
            write_image(name);
        }
    }
    assert_int_equal(dataset_load(&few, test_folder, NULL, 1, &how), 0);
    how.held_out = 0.25;
    assert_int_equal(dataset_load(&many, test_folder, NULL, 1, &how), 0);
    assert_int_equal(few.test.count, 4 + 4 + 1);
    assert_int_equal(few.train.count, 36 + 36 + 1);
    assert_int_equal(many.test.count, 10 + 10 + 1);
    FOR(i, few.test.count) {
        int found = 0;
        FOR(k, many.test.count) {
            found += strcmp(few.test.files.files[i].name, many.test.files.files[k].name) == 0;
        }
        FOR(k, few.train.count) {
            assert_string_not_equal(few.test.files.files[i].name, few.train.files.files[k].name);
        }
        assert_int_equal(found, 1);
    }
    assert_int_equal(image_set_mix(&many.test), 0);
    int changes = 0;
    FOR(i, many.test.count) {
        assert_int_equal(many.test.labels[i], many.test.files.files[i].name[5] - '0');
        changes += i > 0 && many.test.labels[i] != many.test.labels[i - 1];
    }
    assert_true(changes > 4);
    assert_int_not_equal(image_set_checksum(&many.test), image_set_checksum(&few.test));
    dataset_free(&few);
    dataset_free(&many);
}

/* A model's labels stay what they were, whichever classes there are to test with. */
static void test_classes_of_the_model(void **state) {
    (void)state;
    name_list trained = {0};
    folder_options how = defaults();
    dataset data;
    assert_int_equal(name_list_add(&trained, "ant"), 0);
    assert_int_equal(name_list_add(&trained, "bee"), 0);
    assert_int_equal(name_list_add(&trained, "cow"), 0);
    how.classes = &trained;
    test_make_folder("val");
    test_make_folder("val/cow");
    write_image("val/cow/1.png");
    assert_int_equal(dataset_load(&data, test_folder, NULL, 0, &how), 0);
    assert_int_equal(data.classes, 3);
    assert_int_equal(data.test.labels[0], 2);
    dataset_free(&data);
    test_make_folder("val/dog");
    assert_int_not_equal(dataset_load(&data, test_folder, NULL, 0, &how), 0);
    assert_non_null(strstr(failure_message(), "val/dog"));
    char *bytes = NULL;
    uint64_t size = 0;
    assert_int_equal(class_names_pack(&bytes, &size, &trained), 0);
    assert_int_equal(size, 12);
    assert_memory_equal(bytes, "ant\0bee\0cow", 12);
    free(bytes);
    name_list_free(&trained);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_order_of_image_folder, test_folder_setup, test_folder_teardown),
        cmocka_unit_test_setup_teardown(test_odd_names_and_kinds, test_folder_setup, test_folder_teardown),
        cmocka_unit_test_setup_teardown(test_classes_called_train_and_test, test_folder_setup, test_folder_teardown),
        cmocka_unit_test_setup_teardown(test_other_kinds_are_counted, test_folder_setup, test_folder_teardown),
        cmocka_unit_test_setup_teardown(test_unreadable, test_folder_setup, test_folder_teardown),
        cmocka_unit_test_setup_teardown(test_nothing_there, test_folder_setup, test_folder_teardown),
        cmocka_unit_test_setup_teardown(test_held_out, test_folder_setup, test_folder_teardown),
        cmocka_unit_test_setup_teardown(test_classes_of_the_model, test_folder_setup, test_folder_teardown)};
    return cmocka_run_group_tests_name("folders of images", tests, NULL, NULL);
}

/* SPDX-License-Identifier: MIT */
/* The tool's data files: good and damaged ones of every kind, normalisation, the order of an epoch. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include "batches/batch.h"
#include "data/load.h"
#include "data/shuffle.h"
#include "failure.h"
#include "folder_support.h"

enum { SIZE = 5, CIFAR_PIXELS = 3072 };
static const char *const idx_names[] = {"train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte",
                                        "t10k-labels-idx1-ubyte"};

static void write_packed(const char *name, const uint8_t *bytes, size_t size) {
    gzFile file = gzopen(test_path(name), "wb");
    assert_non_null(file);
    assert_int_equal(gzwrite(file, bytes, (unsigned)size), (int)size);
    assert_int_equal(gzclose(file), Z_OK);
}

static void put_number(uint8_t *at, uint32_t number) {
    for (int i = 0; i < 4; i++) at[i] = (uint8_t)(number >> (24 - 8 * i));
}

/* IDX files in memory. Pixel k of the file is k modulo 251, label i is i modulo 10. */
static size_t idx_images(uint8_t *to, uint32_t count) {
    memcpy(to, "\0\0\x08\x03", 4);
    put_number(to + 4, count);
    put_number(to + 8, SIZE);
    put_number(to + 12, SIZE);
    for (uint32_t k = 0; k < count * SIZE * SIZE; k++) to[16 + k] = (uint8_t)(k % 251);
    return 16 + (size_t)count * SIZE * SIZE;
}

static size_t idx_labels(uint8_t *to, uint32_t count) {
    memcpy(to, "\0\0\x08\x01", 4);
    put_number(to + 4, count);
    for (uint32_t i = 0; i < count; i++) to[8 + i] = (uint8_t)(i % 10);
    return 8 + (size_t)count;
}

/* A sound set of 20 training and 12 test images. */
static void write_idx(void) {
    uint8_t bytes[2048];
    test_file_write(test_path(idx_names[0]), bytes, idx_images(bytes, 20));
    test_file_write(test_path(idx_names[1]), bytes, idx_labels(bytes, 20));
    test_file_write(test_path(idx_names[2]), bytes, idx_images(bytes, 12));
    test_file_write(test_path(idx_names[3]), bytes, idx_labels(bytes, 12));
}

static void fails_with(int line, const char *name, const char *a, const char *b, const char *c) {
    dataset data;
    memset(&data, 0x5A, sizeof data);
    if (dataset_load(&data, test_folder, name, 1, NULL) == 0) {
        dataset_free(&data);
        fail_msg("line %d: it loaded", line);
    }
    const char *const wanted[] = {a, b, c};
    for (int i = 0; i < 3; i++) {
        if (!strstr(failure_message(), wanted[i]))
            fail_msg("line %d: no '%s' in: %s", line, wanted[i], failure_message());
    }
    const unsigned char *bytes = (const unsigned char *)&data;
    for (size_t i = 0; i < sizeof data; i++) assert_int_equal(bytes[i], 0x5A);
}
#define assert_load_fails(name, a, b, c) fails_with(__LINE__, name, a, b, c)

static void test_idx_plain_and_packed(void **state) {
    (void)state;
    write_idx();
    for (int packed = 0; packed < 2; packed++) {
        dataset data;
        assert_int_equal(dataset_load(&data, test_folder, packed ? "idx" : NULL, 1, NULL), 0);
        assert_int_equal(data.kind, DATASET_IDX);
        assert_int_equal(data.classes, 10);
        assert_int_equal(data.train.count, 20);
        assert_int_equal(data.test.count, 12);
        assert_int_equal(data.train.channels, 1);
        assert_int_equal(data.train.size, SIZE);
        for (int k = 0; k < 20 * SIZE * SIZE; k++) assert_int_equal(data.train.pixels[k], k % 251);
        for (int i = 0; i < 12; i++) assert_int_equal(data.test.labels[i], i % 10);
        dataset_free(&data);
        for (int i = 0; i < 4 && !packed; i++) {
            uint8_t bytes[2048];
            FILE *file = fopen(test_path(idx_names[i]), "rb");
            assert_non_null(file);
            const size_t size = fread(bytes, 1, sizeof bytes, file);
            fclose(file);
            remove(test_path(idx_names[i]));
            char name[64];
            snprintf(name, sizeof name, "%s.gz", idx_names[i]);
            write_packed(name, bytes, size);
        }
    }
}

/* As programs unpack MNIST, and as EMNIST is named. */
static void test_idx_by_other_names(void **state) {
    (void)state;
    static const char *const others[][4] = {
        {"train-images.idx3-ubyte", "train-labels.idx1-ubyte", "t10k-images.idx3-ubyte", "t10k-labels.idx1-ubyte"},
        {"emnist-letters-train-images-idx3-ubyte", "emnist-letters-train-labels-idx1-ubyte",
         "emnist-letters-test-images-idx3-ubyte", "emnist-letters-test-labels-idx1-ubyte"}};
    for (int i = 0; i < 2; i++) {
        dataset data;
        char old[4096];
        write_idx();
        for (int k = 0; k < 4; k++) {
            snprintf(old, sizeof old, "%s", test_path(idx_names[k]));
            assert_int_equal(rename(old, test_path(others[i][k])), 0);
        }
        assert_int_equal(dataset_load(&data, test_folder, NULL, 1, NULL), 0);
        assert_int_equal(data.train.count, 20);
        assert_int_equal(data.test.count, 12);
        dataset_free(&data);
        for (int k = 0; k < 4; k++) remove(test_path(others[i][k]));
    }
}

/* EMNIST's letters are 1 to 26; any other gap is damage. */
static void test_idx_labels_from_one(void **state) {
    (void)state;
    uint8_t bytes[2048];
    dataset data;
    write_idx();
    const size_t train = idx_labels(bytes, 20);
    for (int i = 0; i < 20; i++) bytes[8 + i] = (uint8_t)(1 + i % 13);
    test_file_write(test_path(idx_names[1]), bytes, train);
    const size_t test = idx_labels(bytes, 12);
    for (int i = 0; i < 12; i++) bytes[8 + i] = (uint8_t)(1 + i);
    test_file_write(test_path(idx_names[3]), bytes, test);
    assert_int_equal(dataset_load(&data, test_folder, NULL, 1, NULL), 0);
    assert_int_equal(data.classes, 14);
    dataset_free(&data);
    idx_labels(bytes, 20);
    for (int i = 0; i < 20; i++) bytes[8 + i] = (uint8_t)(2 + i % 13);
    test_file_write(test_path(idx_names[1]), bytes, train);
    assert_load_fails(NULL, "label 14 of training image 12", "no image has label 1", "");
}

static void test_cifar_of_other_versions(void **state) {
    (void)state;
    test_file_write(test_path("data_batch_1"), (const uint8_t *)"x", 1);
    assert_load_fails(NULL, "data_batch_1: is of the Python version of CIFAR", "binary version", "");
    assert_load_fails("cifar10", "Python version of CIFAR", "", "");
    remove(test_path("data_batch_1"));
    test_make_folder("cifar-100-python");
    assert_load_fails(NULL, "cifar-100-python: is of the Python version", "", "");
    remove(test_path("cifar-100-python"));
    test_file_write(test_path("data_batch_1.mat"), (const uint8_t *)"x", 1);
    assert_load_fails("cifar10", "Matlab version of CIFAR", "", "");
}

static void test_idx_missing(void **state) {
    (void)state;
    assert_load_fails(NULL, test_folder, "neither", "train-images-idx3-ubyte");
    assert_load_fails("idx", "t10k-images-idx3-ubyte", "No such file", "");
    assert_load_fails("mnist", "--dataset is 'mnist'", "idx, cifar10, cifar100", "");
    write_idx();
    remove(test_path(idx_names[1]));
    assert_load_fails(NULL, idx_names[1], "No such file", "");
    char *here = test_folder;
    test_folder = test_path("nowhere");
    assert_load_fails(NULL, "/nowhere", "no such folder", "");
    test_folder = here;
}

/* One file of a sound set with `count` bytes at `offset` replaced, cut at `size` (0: not) or with a byte more (-1). */
static void damage(int file, size_t offset, const void *bytes, size_t count, long size) {
    uint8_t whole[2048];
    write_idx();
    size_t length = file == 0   ? idx_images(whole, 20)
                    : file == 1 ? idx_labels(whole, 20)
                    : file == 2 ? idx_images(whole, 12)
                                : idx_labels(whole, 12);
    memcpy(whole + offset, bytes, count);
    if (size > 0) length = (size_t)size;
    if (size < 0) whole[length++] = 0;
    test_file_write(test_path(idx_names[file]), whole, length);
}

static void test_idx_damaged(void **state) {
    (void)state;
    for (int file = 0; file < 4; file++) {
        const int images = file % 2 == 0;
        const char *name = idx_names[file];
        for (int byte = 0; byte < 4; byte++) {
            damage(file, (size_t)byte, "\x77", 1, 0);
            assert_load_fails(NULL, name, "byte 0", "77");
        }
        damage(file, 0, "", 0, images ? 10 : 6);
        assert_load_fails(NULL, name, images ? "ends at byte 10" : "ends at byte 6", images ? "16 bytes" : "8 bytes");
        damage(file, 0, "", 0, images ? 100 : 11);
        assert_load_fails(NULL, name, images ? "ends at byte 100" : "ends at byte 11", "header says");
        damage(file, 0, "", 0, -1);
        assert_load_fails(NULL, name, "continues after byte", "header");
        damage(file, 4, "\xFF\xFF\xFF\xFF", 4, 0);
        assert_load_fails(NULL, name, images ? "header says" : "found 4294967295", "");
        damage(file, 0, "", 0, 1);
        assert_load_fails(NULL, name, "ends at byte 1", "header");
    }
    damage(0, 4, "\0\0\0\0", 4, 0);
    assert_load_fails(NULL, idx_names[0], "byte 4", "found 0");
    damage(0, 12, "\0\0\0\x06", 4, 0);
    assert_load_fails(NULL, idx_names[0], "byte 8", "found 5 x 6");
    damage(0, 8, "\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF", 8, 0);
    assert_load_fails(NULL, idx_names[0], "byte 8", "found 4294967295");
    damage(1, 4, "\0\0\0\x13", 4, 27);
    assert_load_fails(NULL, idx_names[1], "expected 20 labels", "found 19");
}

static void test_idx_labels_out_of_range(void **state) {
    (void)state;
    damage(1, 8 + 7, "\xC8", 1, 0);
    assert_load_fails(NULL, "label 200 of training image 7", "byte 15", "no image has label 10");
    damage(3, 8 + 3, "\x0A", 1, 0);
    assert_load_fails(NULL, "label 10 of test image 3", "0 to 9", "");
}

static void test_idx_damaged_packing(void **state) {
    (void)state;
    uint8_t bytes[2048], packed[2048];
    write_idx();
    const size_t length = idx_images(bytes, 20);
    remove(test_path(idx_names[0]));
    write_packed("train-images-idx3-ubyte.gz", bytes, length);
    FILE *file = fopen(test_path("train-images-idx3-ubyte.gz"), "rb");
    assert_non_null(file);
    const size_t size = fread(packed, 1, sizeof packed, file);
    fclose(file);
    test_file_write(test_path("train-images-idx3-ubyte.gz"), packed, size / 2);
    assert_load_fails(NULL, "train-images-idx3-ubyte.gz", "damaged after byte", "unexpected end of file");
    packed[size - 6] ^= 1;
    test_file_write(test_path("train-images-idx3-ubyte.gz"), packed, size);
    assert_load_fails(NULL, "train-images-idx3-ubyte.gz", "damaged after byte", "");
}

/* Records of CIFAR: label (CIFAR-100: coarse label too), then planes of constant colour. */
static void write_cifar(const char *name, int records, int label_bytes, int classes, long cut, long offset,
                        uint8_t value) {
    const size_t record = (size_t)(label_bytes + CIFAR_PIXELS), size = record * (size_t)records;
    uint8_t *bytes = calloc(1, size);
    assert_non_null(bytes);
    for (int i = 0; i < records; i++) {
        uint8_t *at = bytes + (size_t)i * record;
        if (label_bytes == 2) *at++ = (uint8_t)(i % 20);
        *at++ = (uint8_t)(i % classes);
        for (int k = 0; k < CIFAR_PIXELS; k++) at[k] = (uint8_t)(10 * (k / 1024) + i);
    }
    if (offset >= 0) bytes[offset] = value;
    test_file_write(test_path(name), bytes, cut > 0 ? (size_t)cut : size);
    free(bytes);
}

static void write_cifar10(const char *prefix) {
    char name[64];
    for (int i = 1; i <= 5; i++) {
        snprintf(name, sizeof name, "%sdata_batch_%d.bin", prefix, i);
        write_cifar(name, 2 + i, 1, 10, 0, -1, 0);
    }
    snprintf(name, sizeof name, "%stest_batch.bin", prefix);
    write_cifar(name, 4, 1, 10, 0, -1, 0);
}

static void test_cifar_good(void **state) {
    (void)state;
    dataset data;
    test_make_folder("cifar-10-batches-bin");
    write_cifar10("cifar-10-batches-bin/");
    assert_int_equal(dataset_load(&data, test_folder, NULL, 1, NULL), 0);
    assert_int_equal(data.kind, DATASET_CIFAR10);
    assert_int_equal(data.classes, 10);
    assert_int_equal(data.train.count, 3 + 4 + 5 + 6 + 7);
    assert_int_equal(data.train.channels, 3);
    assert_int_equal(data.train.size, 32);
    assert_int_equal(data.train.labels[3 + 1], 1);
    assert_int_equal(data.train.pixels[4 * CIFAR_PIXELS + 2048], 21);
    dataset_free(&data);
    write_cifar("train.bin", 30, 2, 100, 0, -1, 0);
    write_cifar("test.bin", 8, 2, 100, 0, -1, 0);
    assert_load_fails(NULL, "cifar10", "cifar100", "--dataset");
    assert_int_equal(dataset_load(&data, test_folder, "cifar100", 1, NULL), 0);
    assert_int_equal(data.classes, 100);
    assert_int_equal(data.train.labels[25], 25);
    assert_int_equal(data.train.pixels[CIFAR_PIXELS - 1], 20);
    dataset_free(&data);
}

static void test_cifar_damaged(void **state) {
    (void)state;
    write_cifar10("");
    remove(test_path("data_batch_3.bin"));
    assert_load_fails(NULL, "data_batch_3.bin", "No such file", "");
    write_cifar10("");
    write_cifar("data_batch_4.bin", 6, 1, 10, 2 * 3073 + 5, -1, 0);
    assert_load_fails(NULL, "data_batch_4.bin", "ends at byte 6151", "record 3");
    write_cifar("data_batch_4.bin", 6, 1, 10, 0, 3 * 3073, 10);
    assert_load_fails(NULL, "data_batch_4.bin", "byte 9219", "found 10");
    test_file_write(test_path("data_batch_4.bin"), (const uint8_t *)"", 0);
    assert_load_fails(NULL, "data_batch_4.bin", "byte 0", "empty");
    remove(test_path("data_batch_1.bin"));
    write_cifar("train.bin", 4, 2, 100, 0, 3074, 20);
    write_cifar("test.bin", 4, 2, 100, 0, -1, 0);
    assert_load_fails("cifar100", "train.bin", "byte 3074", "0 to 19");
    write_cifar("train.bin", 4, 2, 100, 0, 3075, 100);
    assert_load_fails("cifar100", "train.bin", "byte 3075", "0 to 99");
}

static void test_batch_normalises(void **state) {
    (void)state;
    uint8_t pixels[2 * 3 * 4];
    int32_t labels[2] = {7, 3};
    for (int i = 0; i < 24; i++) pixels[i] = (uint8_t)(i * 11);
    const image_set set = {.count = 2, .channels = 3, .size = 2, .pixels = pixels, .labels = labels};
    const double mean[3] = {0.1, 0.2, 0.3}, deviation[3] = {0.5, 0.25, 2};
    const int64_t order[2] = {1, 0};
    tool_batch batch;
    assert_int_equal(batch_create(&batch, &set, 2, mean, deviation), 0);
    batch_fill(&batch, &set, order, 0, 2);
    assert_int_equal(batch.labels[0], 3);
    assert_int_equal(batch.ids[1], 0);
    for (int i = 0; i < 24; i++) {
        const int source = (i + 12) % 24, channel = source / 4 % 3;
        assert_close(batch.images[i], (pixels[source] / 255.0 - mean[channel]) / deviation[channel], 1e-6);
    }
    batch_free(&batch);
}

static void test_shuffle_is_a_permutation(void **state) {
    (void)state;
    enum { COUNT = 1000 };
    int64_t order[COUNT], again[COUNT], other[COUNT];
    int seen[COUNT] = {0};
    shuffle(order, COUNT, 5, 3);
    shuffle(again, COUNT, 5, 3);
    assert_memory_equal(order, again, sizeof order);
    int fixed = 0;
    for (int i = 0; i < COUNT; i++) {
        assert_in_range((uint64_t)order[i], 0, COUNT - 1);
        seen[order[i]]++;
        fixed += order[i] == i;
    }
    for (int i = 0; i < COUNT; i++) assert_int_equal(seen[i], 1);
    assert_true(fixed < 10);
    for (int changed = 0; changed < 2; changed++) {
        int same = 0;
        shuffle(other, COUNT, changed ? 6 : 5, changed ? 3 : 4);
        for (int i = 0; i < COUNT; i++) same += other[i] == order[i];
        assert_true(same < 10);
    }
    /* Each of the six orders of three comes up about equally often. */
    int counts[3][3] = {{0}};
    for (int epoch = 0; epoch < 600; epoch++) {
        shuffle(other, 3, 9, epoch);
        counts[other[0]][other[1]]++;
    }
    for (int i = 0; i < 9; i++) assert_in_range(counts[i / 3][i % 3], i % 4 ? 60 : 0, i % 4 ? 140 : 0);
    shuffle(other, 1, 0, 0);
    assert_int_equal(other[0], 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_idx_plain_and_packed, test_folder_setup, test_folder_teardown),
        cmocka_unit_test_setup_teardown(test_idx_by_other_names, test_folder_setup, test_folder_teardown),
        cmocka_unit_test_setup_teardown(test_idx_labels_from_one, test_folder_setup, test_folder_teardown),
        cmocka_unit_test_setup_teardown(test_cifar_of_other_versions, test_folder_setup, test_folder_teardown),
        cmocka_unit_test_setup_teardown(test_idx_missing, test_folder_setup, test_folder_teardown),
        cmocka_unit_test_setup_teardown(test_idx_damaged, test_folder_setup, test_folder_teardown),
        cmocka_unit_test_setup_teardown(test_idx_labels_out_of_range, test_folder_setup, test_folder_teardown),
        cmocka_unit_test_setup_teardown(test_idx_damaged_packing, test_folder_setup, test_folder_teardown),
        cmocka_unit_test_setup_teardown(test_cifar_good, test_folder_setup, test_folder_teardown),
        cmocka_unit_test_setup_teardown(test_cifar_damaged, test_folder_setup, test_folder_teardown),
        cmocka_unit_test(test_batch_normalises),
        cmocka_unit_test(test_shuffle_is_a_permutation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

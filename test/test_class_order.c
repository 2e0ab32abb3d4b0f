/* SPDX-License-Identifier: MIT */
/* Numbers of classes: in timm's order, in torchvision's, as a list; and names in a model's file, in any order. */
#include "support.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "data/class_order.h"
#include "failure.h"
#include "models/class_names.h"
#include "tgrmoe/safetensors.h"

static name_list read_golden(const char *path) {
    name_list names = {0};
    assert_int_equal(class_order_read(&names, path), 0);
    return names;
}

static void assert_names(const name_list *names, const name_list *wanted) {
    assert_int_equal(names->count, wanted->count);
    for (int64_t i = 0; i < names->count; i++) assert_string_equal(names->names[i], wanted->names[i]);
}

/* golden/class_order_*.txt: what timm 1.0.31 and torchvision 0.29 made of the same folders. */
static void test_orders_are_those_of_timm_and_torchvision(void **state) {
    (void)state;
    name_list natural = read_golden("test/golden/class_order_natural.txt"), copy = {0};
    name_list bytes = read_golden("test/golden/class_order_bytes.txt");
    int matters = 0;
    assert_int_equal(natural.count, 30);
    assert_true(natural.unsorted);
    assert_false(bytes.unsorted);
    assert_int_equal(name_list_copy(&copy, &bytes), 0);
    assert_int_equal(class_order_sort(&copy, CLASS_ORDER_NATURAL), 0);
    assert_names(&copy, &natural);
    assert_int_equal(class_order_sort(&copy, CLASS_ORDER_BYTES), 0);
    assert_names(&copy, &bytes);
    assert_int_equal(class_order_matters(&bytes, &matters), 0);
    assert_true(matters);
    for (int64_t i = 0; i < natural.count; i++) assert_int_equal(name_list_find(&natural, natural.names[i]), i);
    assert_int_equal(name_list_find(&natural, "none"), -1);
    name_list_free(&natural);
    name_list_free(&bytes);
    name_list_free(&copy);
}

static void test_what_has_no_order_is_refused(void **state) {
    (void)state;
    static const char *const pairs[][2] = {{"A", "a"}, {"1", "01"}, {"x", "\xC3\xA4"}};
    for (int i = 0; i < 3; i++) {
        name_list names = {0};
        int matters = 0;
        for (int k = 0; k < 2; k++) assert_int_equal(name_list_add(&names, pairs[i][k]), 0);
        assert_int_equal(class_order_sort(&names, CLASS_ORDER_BYTES), 0);
        assert_int_equal(class_order_matters(&names, &matters), 0);
        assert_true(matters);
        assert_int_equal(class_order_sort(&names, CLASS_ORDER_NATURAL), FAILURE);
        assert_non_null(strstr(failure_message(), "--class-order FILE"));
        name_list_free(&names);
    }
}

static char *write_text(const char *text, size_t size) {
    char *path = test_file_create();
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(text, 1, size, file), size);
    assert_int_equal(fclose(file), 0);
    return path;
}

static void test_lists_are_read_whole(void **state) {
    (void)state;
    static const struct {
        const char *text;
        size_t size;
        const char *wrong; /* NULL: it is right */
    } cases[] = {
        {"b\na\nc", 5, NULL},      {"b\r\na\r\nc\r\n", 9, NULL},           {"", 0, "holds no names"},
        {"b\n\na\n", 5, "line 2"}, {"b\na\nb\n", 6, "'b' is there twice"}, {"b\na\0x\n", 6, "line 2 is no text"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        name_list names = {0};
        char *path = write_text(cases[i].text, cases[i].size);
        const int result = class_order_read(&names, path);
        assert_int_equal(result, cases[i].wrong ? FAILURE : 0);
        if (cases[i].wrong) assert_non_null(strstr(failure_message(), cases[i].wrong));
        if (!cases[i].wrong) assert_int_equal(name_list_find(&names, "b"), 0);
        if (!cases[i].wrong) assert_int_equal(name_list_find(&names, "c"), 2);
        name_list_free(&names);
        test_file_remove(path);
    }
}

/* In a model's file names stand in the order of their labels, whatever that is. */
static void test_names_in_files_keep_their_order(void **state) {
    (void)state;
    static const char *const texts[] = {"Zebra\nclass10\nclass2\napple", "a\nb\na"};
    const float number = 1;
    const int64_t dims[] = {1};
    for (int i = 0; i < 2; i++) {
        tgr_context *context = test_context(1, 1);
        tgr_safetensors_writer *writer = NULL;
        name_list names = {0};
        char *path = test_file_create();
        assert_status(TGR_OK, tgr_safetensors_writer_create(&writer, context));
        assert_status(TGR_OK, tgr_safetensors_writer_add(writer, "x", TGR_ELEMENT_F32, 1, dims, &number));
        assert_status(TGR_OK, tgr_safetensors_writer_add_text(writer, "label_names", texts[i]));
        assert_status(TGR_OK, tgr_safetensors_writer_save(writer, path));
        assert_int_equal(class_names_load(&names, path), i == 0 ? 0 : FAILURE);
        if (i == 0) assert_int_equal(name_list_find(&names, "class2"), 2);
        if (i == 1) assert_non_null(strstr(failure_message(), "'a' is there twice"));
        name_list_free(&names);
        tgr_safetensors_writer_free(writer);
        tgr_context_free(context);
        test_file_remove(path);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_orders_are_those_of_timm_and_torchvision),
        cmocka_unit_test(test_what_has_no_order_is_refused),
        cmocka_unit_test(test_lists_are_read_whole),
        cmocka_unit_test(test_names_in_files_keep_their_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: MIT */
/* A file that others change while the host has it open: cut short, it is refused by a status, and nothing has changed;
 * replaced or deleted, it is still the one that was opened. */
#include <unistd.h>

#include "file_support.h"
#include "model_support.h"
#include "tgrmoe/checkpoint.h"
#include "tgrmoe/exchange.h"

#define OPTIONS \
    "image_size=8 patch_size=4 channels=1 classes=5 embed_dim=16 depth=2 heads=2 method=vmoe moe_blocks=2 experts=4 "

/* Every tensor of the file of which `left` bytes are left, read over what was there; where it is refused, that stays.
 */
static void check_tensors(const tgr_safetensors *file, const test_file *whole, size_t left) {
    size_t end = 8;
    for (int i = 0; i < 8; i++) end += (size_t)whole->bytes[i] << 8 * i;
    FOR(i, tgr_safetensors_count(file)) {
        tgr_safetensors_entry entry = {.struct_size = sizeof entry};
        assert_status(TGR_OK, tgr_safetensors_entry_at(file, i, &entry));
        const size_t bytes = (size_t)entry.bytes;
        float *numbers = malloc(bytes), *kept = malloc(bytes);
        assert_non_null(numbers), assert_non_null(kept);
        memset(numbers, 0x55, bytes);
        memcpy(kept, numbers, bytes);
        end += bytes;
        if (end <= left) {
            assert_status(TGR_OK, tgr_safetensors_read(file, i, numbers));
            assert_memory_equal(numbers, whole->bytes + end - bytes, bytes);
            assert_status(TGR_OK, tgr_safetensors_read_bytes(file, i, numbers));
        } else {
            assert_fails(TGR_ERROR_FILE_TRUNCATED, "cut short", tgr_safetensors_read(file, i, numbers));
            assert_fails(TGR_ERROR_FILE_TRUNCATED, "cut short", tgr_safetensors_read_bytes(file, i, numbers));
            assert_same_bytes(numbers, kept, bytes);
        }
        free(numbers), free(kept);
    }
    assert_int_equal(end, whole->size);
}

/* Cut at any place: before, in and behind each tensor. The whole length is checked when a tensor is read, not before.
 */
static void test_cut_short_while_open(void **state) {
    (void)state;
    tgr_context *context = test_context(1, 1);
    tgr_model *model = test_model(context, OPTIONS), *other = test_model(context, OPTIONS);
    char *path = test_file_create();
    assert_status(TGR_OK, tgr_model_export(model, path, NULL));
    const test_file whole = test_file_read(path);
    const tgr_parameters *weights = tgr_model_parameters(other);
    const size_t bytes = (size_t)weights->floats * sizeof(float);
    float *kept = malloc(bytes), *images = test_images(other, 2, 3);
    assert_non_null(kept);
    test_model_enliven(other, 99);
    memcpy(kept, weights->values, bytes);
    for (size_t left = 0; left < whole.size; left += left < 64 ? 7 : 499) {
        tgr_safetensors *file = NULL;
        test_file_write(path, whole.bytes, whole.size);
        assert_status(TGR_OK, tgr_safetensors_open(&file, context, path));
        const char *text = tgr_safetensors_text(file, "tgrmoe.method");
        assert_status(TGR_OK, tgr_model_forward(other, TGR_TRAIN, images, 2));
        assert_int_equal(truncate(path, (off_t)left), 0);
        assert_fails(TGR_ERROR_FILE_TRUNCATED, "cut short", tgr_model_import(other, file, NULL));
        assert_same_bytes(weights->values, kept, bytes);
        assert_int_equal(tgr_model_batch(other), 2); /* the pass is still there, too */
        check_tensors(file, &whole, left);
        assert_string_equal(text, "vmoe");
        tgr_safetensors_close(file);
    }
    free(kept), free(images), free(whole.bytes);
    test_file_remove(path);
    tgr_model_free(model);
    tgr_model_free(other);
    tgr_context_free(context);
}

/* Replaced, deleted, made longer: what was opened is read. */
static void test_replaced_while_open(void **state) {
    (void)state;
    tgr_context *context = test_context(1, 1);
    tgr_model *model = test_model(context, OPTIONS), *other = test_model(context, OPTIONS);
    const tgr_parameters *weights = tgr_model_parameters(model), *read = tgr_model_parameters(other);
    const size_t bytes = (size_t)weights->floats * sizeof(float);
    float *kept = malloc(bytes);
    assert_non_null(kept);
    memcpy(kept, weights->values, bytes);
    for (int how = 0; how < 3; how++) {
        char *path = test_file_create();
        tgr_safetensors *file = NULL;
        assert_status(TGR_OK, tgr_model_export(model, path, NULL));
        assert_status(TGR_OK, tgr_safetensors_open(&file, context, path));
        const test_file whole = test_file_read(path);
        test_model_enliven(other, (uint64_t)how);
        if (how == 0) assert_status(TGR_OK, tgr_model_export(other, path, NULL));
        if (how == 1) assert_int_equal(unlink(path), 0);
        if (how == 2) assert_int_equal(truncate(path, (off_t)whole.size + 4096), 0);
        assert_status(TGR_OK, tgr_model_import(other, file, NULL));
        assert_same_bytes(read->values, kept, bytes);
        tgr_safetensors_close(file);
        free(whole.bytes);
        if (how == 1) test_file_write(path, "", 0);
        test_file_remove(path);
    }
    free(kept);
    tgr_model_free(model);
    tgr_model_free(other);
    tgr_context_free(context);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cut_short_while_open),
        cmocka_unit_test(test_replaced_while_open),
    };
    return cmocka_run_group_tests_name("host_shrink", tests, NULL, NULL);
}

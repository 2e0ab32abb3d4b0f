/* SPDX-License-Identifier: MIT */
/* Models of every method to a file and back whole, positions of another grid, and memory that fails on the way. */
#include "base/config.h"
#include "base/options.h"
#include "exchange/resample.h"
#include "exchange_support.h"
#include "golden/golden.h"
#include "safetensors_bytes.h"
#include "training_support.h"

/* Every option that the method uses has the same value in force. */
static void check_options(const tgr_model *a, const tgr_model *b) {
    const tgr_config *one = tgr_model_config(a), *other = tgr_model_config(b);
    for (int i = 0; i < TGR_OPTION_ROWS; i++) {
        char value[1024], again[1024];
        if (!tgr_option_is_used(one, (tgr_option)tgr_option_rows[i].number)) continue;
        assert_status(TGR_OK, tgr_config_get(one, tgr_option_rows[i].key, value, sizeof value));
        assert_status(TGR_OK, tgr_config_get(other, tgr_option_rows[i].key, again, sizeof again));
        assert_string_equal(again, value);
    }
}

static void check_logits(tgr_model *a, tgr_model *b) {
    float *images = test_images(a, BATCH, 77);
    assert_status(TGR_OK, tgr_model_forward(a, TGR_EVAL, images, BATCH));
    assert_status(TGR_OK, tgr_model_forward(b, TGR_EVAL, images, BATCH));
    assert_same_bytes(test_logits(b), test_logits(a), BATCH * CLASSES * sizeof(float));
    free(images);
}

/* State is exact in either element type; weights lose what BF16 cannot hold. */
static void check_tensors(tgr_model *a, tgr_model *b, tgr_element element) {
    const tgr_parameters *one = test_model_parameters(a), *other = test_model_parameters(b);
    assert_int_equal(one->tensor_count, other->tensor_count);
    FOR(i, one->tensor_count) {
        const tgr_tensor *tensor = &one->tensors[i];
        const int exact = element == TGR_ELEMENT_F32 || tensor->flags & TGR_TENSOR_STATE;
        assert_all_close(tgr_value(other, i), tgr_value(one, i), tensor->count, 0, exact ? 0 : 1.0 / 256);
    }
}

static void check_round_trip(const char *method, const char *more) {
    training t;
    char *path = test_file_create();
    print_message("%s %s\n", method, more);
    assert_status(TGR_OK, training_start(&t, test_context(1, 7), method, more));
    FOR(position, 3 * MICRO) assert_status(TGR_OK, train(&t, position));
    const tgr_element elements[] = {TGR_ELEMENT_F32, TGR_ELEMENT_BF16};
    static const char *const texts[] = {"mean", "0.485,0.456,0.406", "crop_pct", "0.9"};
    tgr_export_options options = {.struct_size = sizeof options, .texts = texts, .text_count = 2};
    for (int e = 0; e < 2; e++) {
        tgr_context *context = test_context(2, 99); /* another seed: nothing may come from initialisation */
        options.element = elements[e];
        assert_status(TGR_OK, tgr_model_export(t.model, path, &options));
        tgr_safetensors *file = test_open(context, path);
        tgr_model *again = test_import(context, file, "");
        check_options(t.model, again);
        check_tensors(t.model, again, elements[e]);
        if (elements[e] == TGR_ELEMENT_F32) check_logits(t.model, again);
        const char *text = tgr_safetensors_text(file, "mean");
        assert_string_equal(text, "0.485,0.456,0.406");
        tgr_safetensors_close(file);
        tgr_model_free(again);
        tgr_context_free(context);
    }
    training_end(&t);
    test_file_remove(path);
}

static void test_every_method_comes_back_whole(void **state) {
    (void)state;
    check_round_trip("dense", "");
    check_round_trip("dense", "layer_scale=0.3 distillation_token=1");
    each_method(check_round_trip);
}

/* A preset and a method decide the others' defaults; what was set beside stays. */
static void test_presets_come_back(void **state) {
    (void)state;
    tgr_context *context = test_context(1, 1);
    char *path = test_file_create();
    tgr_model *model = test_model(context,
                                  "preset=fashion method=vmoe depth=2 moe_blocks=2 embed_dim=8 heads=2 "
                                  "load_weight=0 importance_weight=0.1 lr=0.0007");
    assert_status(TGR_OK, tgr_model_export(model, path, NULL));
    tgr_safetensors *file = test_open(context, path);
    tgr_model *again = test_import(context, file, "");
    check_options(model, again);
    const tgr_config *config = tgr_model_config(again);
    assert_int_equal(tgr_config_is_set(config, TGR_OPTION_ROUTER_NOISE), 0); /* the method's default, as before */
    tgr_safetensors_close(file);
    tgr_model_free(again);
    tgr_model_free(model);
    tgr_context_free(context);
    test_file_remove(path);
}

/* Against PyTorch. */
static void test_positions_resample_as_in_timm(void **state) {
    (void)state;
    golden_file *golden = calloc(1, sizeof *golden);
    int cases = 0;
    assert_non_null(golden);
    golden_read(golden, "test/golden/timm_resample.golden");
    for (;; cases++) {
        char name[32];
        snprintf(name, sizeof name, "sizes.%d", cases);
        const golden_record *record = golden_find(golden, name);
        if (record == NULL) break;
        const int32_t *sizes = record->data;
        snprintf(name, sizeof name, "from.%d", cases);
        const golden_record *from = golden_find(golden, name);
        snprintf(name, sizeof name, "to.%d", cases);
        const golden_record *to = golden_find(golden, name);
        float *resampled = calloc((size_t)to->count, sizeof *resampled);
        assert_non_null(resampled);
        tgr_resample_positions(sizes[3], sizes[0], sizes[1], from->data, sizes[2], resampled);
        assert_all_close(resampled, (const float *)to->data, to->count, 5e-6, 5e-6);
        free(resampled);
    }
    assert_int_equal(cases, 8);
    golden_free(golden);
    free(golden);
}

/* What import does with another grid, for every kind of prefix. */
static void test_images_of_another_size(void **state) {
    (void)state;
    static const char *const prefixes[] = {"position_cls=0", "position_cls=1", "distillation_token=1",
                                           "distillation_token=1 position_cls=0"};
    static const int counts[] = {0, 1, 2, 0};
    const tgr_import_options resample = {.struct_size = sizeof resample, .resample = 1};
    tgr_context *context = test_context(1, 1);
    for (size_t p = 0; p < sizeof prefixes / sizeof *prefixes; p++) {
        char options[256], *path = test_file_create();
        snprintf(options, sizeof options, SIZES "%s image_size=12", prefixes[p]);
        tgr_model *source = test_model(context, options), *model = NULL;
        assert_status(TGR_OK, tgr_model_export(source, path, NULL));
        tgr_safetensors *file = test_open(context, path);
        snprintf(options, sizeof options, SIZES "%s image_size=20", prefixes[p]);
        assert_status(TGR_OK, test_model_create(&model, context, options));
        assert_fails(TGR_ERROR_FILE_MISMATCH, "'resample'", tgr_model_import(model, file, NULL));
        assert_status(TGR_OK, tgr_model_import(model, file, &resample));
        const tgr_parameters *from = test_model_parameters(source), *to = test_model_parameters(model);
        FOR(i, to->tensor_count) {
            const tgr_tensor *tensor = &to->tensors[i];
            float expected[(2 + 25) * 16];
            const int positions = strcmp(tensor->name, "pos_embed") == 0;
            if (positions) {
                assert_int_equal(tensor->count, (counts[p] + 25) * 16);
                tgr_resample_positions(16, counts[p], 3, tgr_value(from, i), 5, expected);
            }
            assert_same_bytes(tgr_value(to, i), positions ? expected : tgr_value(from, i),
                              (size_t)tensor->count * sizeof(float));
        }
        tgr_safetensors_close(file);
        tgr_model_free(model);
        tgr_model_free(source);
        test_file_remove(path);
    }
    tgr_context_free(context);
}

/* Positions that cover CLS in one and not in the other cannot be made of each other. */
static void test_other_prefixes_are_refused(void **state) {
    (void)state;
    const tgr_import_options resample = {.struct_size = sizeof resample, .resample = 1};
    tgr_context *context = test_context(1, 1);
    tgr_model *source = test_model(context, SIZES "image_size=12 position_cls=0");
    tgr_model *model = test_model(context, SIZES "image_size=20");
    const test_edit none = {0};
    test_bytes memory = test_build(test_model_parameters(source), &none);
    tgr_safetensors *file = NULL;
    assert_status(TGR_OK, tgr_safetensors_open_memory(&file, context, memory.bytes, memory.size));
    assert_fails(TGR_ERROR_FILE_MISMATCH, "'pos_embed' is [1, 9, 16] in the file and [1, 26, 16] in the model",
                 tgr_model_import(model, file, &resample));
    tgr_safetensors_close(file);
    free(memory.bytes);
    tgr_model_free(model);
    tgr_model_free(source);
    tgr_context_free(context);
}

/* From a file to a model of larger images and back to a file. `user` is the file's path. */
static tgr_status exchange(const tgr_allocator *allocator, void *user) {
    const tgr_context_options with = {.struct_size = sizeof with, .threads = 1, .allocator = allocator, .seed = 1};
    const tgr_import_options resample = {.struct_size = sizeof resample, .resample = 1};
    tgr_context *context = NULL;
    tgr_safetensors *file = NULL;
    tgr_config *config = NULL;
    tgr_model *model = NULL;
    char again[4096];
    const tgr_export_options small = {.struct_size = sizeof small, .element = TGR_ELEMENT_BF16};
    snprintf(again, sizeof again, "%s.again", (const char *)user);
    tgr_status status = TGR_OK;
    TGR_TRY_DONE(tgr_context_create(&context, &with));
    TGR_TRY_DONE(tgr_safetensors_open(&file, context, user));
    TGR_TRY_DONE(tgr_config_import(&config, context, file));
    TGR_TRY_DONE(tgr_config_set(config, "image_size", "16"));
    TGR_TRY_DONE(tgr_model_create(&model, context, config));
    TGR_TRY_DONE(tgr_model_import(model, file, &resample));
    TGR_TRY_DONE(tgr_model_export(model, again, &small));
done:
    tgr_model_free(model);
    tgr_config_free(config);
    tgr_safetensors_close(file);
    tgr_context_free(context);
    remove(again);
    return status;
}

static void test_memory_may_fail(void **state) {
    (void)state;
    tgr_context *context = test_context(1, 1);
    char *path = test_file_create();
    tgr_model *model = test_model(context, SIZES "method=vmoe moe_blocks=2 experts=3");
    assert_status(TGR_OK, tgr_model_export(model, path, NULL));
    assert_true(test_each_allocation_failing(exchange, path) > 20);
    tgr_model_free(model);
    tgr_context_free(context);
    test_file_remove(path);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_method_comes_back_whole), cmocka_unit_test(test_presets_come_back),
        cmocka_unit_test(test_positions_resample_as_in_timm), cmocka_unit_test(test_images_of_another_size),
        cmocka_unit_test(test_other_prefixes_are_refused),    cmocka_unit_test(test_memory_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

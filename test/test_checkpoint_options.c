/* SPDX-License-Identifier: MIT */
/* Options in files: the same values in force whatever the library's defaults, and text that is not to be trusted. */
#include <unistd.h>

#include "base/config.h"
#include "base/options.h"
#include "checkpoint/options_text.h"
#include "checkpoint_support.h"
#include "model_support.h"

/* Loads the config of a file whose model "m" has that text for options. */
static tgr_status load_text(tgr_context *context, const char *text, size_t length, tgr_config **config) {
    test_craft *craft = malloc(sizeof *craft);
    char *path = test_file_create();
    assert_non_null(craft);
    test_craft_start(craft);
    test_craft_bytes(craft, "m.options", text, length);
    test_craft_end(craft, test_craft_end_header(craft));
    test_file_write(path, craft->bytes, craft->size);
    free(craft);
    tgr_status status = tgr_config_load(config, context, path, "m");
    test_file_remove(path);
    return status;
}

static tgr_config *load_sound(tgr_context *context, const char *text) {
    tgr_config *config = NULL;
    assert_status(TGR_OK, load_text(context, text, strlen(text), &config));
    return config;
}

static void check_value(const tgr_config *config, const char *key, const char *value, int set) {
    char text[1024];
    assert_status(TGR_OK, tgr_config_get(config, key, text, sizeof text));
    assert_string_equal(text, value);
    assert_int_equal(tgr_config_is_set(config, tgr_option_find(key)), set);
}

/* A value that is not the default. */
static void set_unusual(tgr_config *config, const tgr_option_row *row) {
    const tgr_option option = (tgr_option)row->number;
    if (row->type == TGR_TYPE_F64)
        assert_status(TGR_OK, tgr_config_set_f64(config, option, row->least + (row->most - row->least) / 3));
    else if (row->type == TGR_TYPE_LIST)
        assert_status(TGR_OK, tgr_config_set_list(config, option, (const int64_t[]){3, 5, 999}, 3));
    else
        assert_status(TGR_OK, tgr_config_set_i64(config, option, (int64_t)row->most));
}

static void check_same(const tgr_config *a, const tgr_config *b) {
    for (int i = 0; i < TGR_OPTION_ROWS; i++) {
        char text[1024];
        assert_status(TGR_OK, tgr_config_get(a, tgr_option_rows[i].key, text, sizeof text));
        int set = tgr_config_is_set(a, (tgr_option)tgr_option_rows[i].number);
        check_value(b, tgr_option_rows[i].key, text, set);
        if (tgr_option_rows[i].type == TGR_TYPE_F64) {
            const double expected = tgr_option_f64(a, (tgr_option)tgr_option_rows[i].number);
            const double value = tgr_option_f64(b, (tgr_option)tgr_option_rows[i].number);
            assert_same_bytes(&value, &expected, sizeof value);
        }
    }
}

static void test_every_option_comes_back(void **state) {
    (void)state;
    tgr_context *context = test_context(1, 0);
    char *text = malloc(TGR_OPTIONS_TEXT_BYTES);
    assert_non_null(text);
    for (int count = 0; count <= TGR_OPTION_ROWS; count++) { /* the first `count` set, then one more each time */
        tgr_config *config = NULL, *loaded = NULL;
        size_t length;
        config = test_config(context, "");
        for (int i = 0; i < count; i++) set_unusual(config, &tgr_option_rows[i]);
        assert_status(TGR_OK, tgr_options_write(config, text, &length));
        assert_status(TGR_OK, load_text(context, text, length, &loaded));
        check_same(config, loaded);
        tgr_config_free(config);
        tgr_config_free(loaded);
    }
    free(text);
    tgr_context_free(context);
}

/* Files of a library whose defaults were others: the values are kept, by setting what differs and nothing else. */
static void test_values_outlive_defaults(void **state) {
    (void)state;
    tgr_context *context = test_context(1, 0);
    tgr_config *config = load_sound(context,
                                    "set preset=small\ndefault embed_dim=400\ndefault heads=6\n"
                                    "default depth=12\nset experts=16\ndefault lr=0.25\n");
    check_value(config, "preset", "small", 1);
    check_value(config, "embed_dim", "400", 1);
    check_value(config, "heads", "6", 0);
    check_value(config, "depth", "12", 0);
    check_value(config, "experts", "16", 1);
    check_value(config, "lr", "0.25", 1);
    check_value(config, "beta1", "0.9", 0);
    tgr_config_free(config);
    config = load_sound(context,
                        "default preset=tiny\ndefault embed_dim=100\ndefault heads=3\ndefault method=vmoe\n"
                        "default router_noise=0\n");
    check_value(config, "preset", "tiny", 1); /* a default preset that this library does not have */
    check_value(config, "embed_dim", "100", 1);
    check_value(config, "method", "vmoe", 1);
    check_value(config, "router_noise", "0", 1);
    tgr_config_free(config);
    /* What the method does not use would be refused if it were set. */
    config = load_sound(context, "default method=dense\ndefault z_weight=9\ndefault bias_rate=0.5\n");
    check_value(config, "z_weight", "0", 0);
    check_value(config, "bias_rate", "0.001", 0);
    tgr_config_free(config);
    config = load_sound(context, "default bias_rate=0.5\ndefault z_weight=0.5\ndefault method=vmoe\n");
    check_value(config, "z_weight", "0.5", 1);
    check_value(config, "bias_rate", "0.001", 0);
    tgr_config_free(config);
    config = load_sound(context, "default embed_dim=192\ndefault preset=small\n"); /* the preset moves what was right */
    check_value(config, "embed_dim", "192", 1);
    check_value(config, "heads", "6", 0);
    tgr_config_free(config);
    config = load_sound(context, "default heads=4\ndefault heads=5\nset depth=2\ndefault depth=3\nset depth=1\n");
    check_value(config, "heads", "4", 1); /* contradictions come to an end */
    check_value(config, "depth", "1", 1);
    tgr_config_free(config);
    tgr_context_free(context);
}

static void test_text_that_is_refused(void **state) {
    (void)state;
    static const struct {
        const char *text;
        size_t length; /* 0: all of it */
        tgr_status status;
        const char *message;
    } cases[] = {
        {"set warp_drive=1\n", 0, TGR_ERROR_FILE_MISMATCH, "'warp_drive'"},
        {"default warp_drive=1\n", 0, TGR_ERROR_FILE_MISMATCH, "'warp_drive'"},
        {"set heads=0\n", 0, TGR_ERROR_FILE_MISMATCH, "heads is 0"},
        {"default heads=0\n", 0, TGR_ERROR_FILE_MISMATCH, "heads is 0"},
        {"set method=telepathy\n", 0, TGR_ERROR_FILE_MISMATCH, "telepathy"},
        {"set lr=0,5\n", 0, TGR_ERROR_FILE_MISMATCH, "lr is '0,5'"},
        {"set lr=nan\n", 0, TGR_ERROR_FILE_MISMATCH, "lr is 'nan'"},
        {"set heads=4", 0, TGR_ERROR_FILE_CORRUPT, "without a key or a value"},
        {"set heads\n", 0, TGR_ERROR_FILE_CORRUPT, "without a key or a value"},
        {"heads=4\n", 0, TGR_ERROR_FILE_CORRUPT, "without a key or a value"},
        {"\n", 0, TGR_ERROR_FILE_CORRUPT, "without a key or a value"},
        {"set \n", 0, TGR_ERROR_FILE_CORRUPT, "without a key or a value"},
        {"set heads=4\0\n", 13, TGR_ERROR_FILE_CORRUPT, "without a key or a value"},
        {"\0", 1, TGR_ERROR_FILE_CORRUPT, "without a key or a value"},
        {"set =4\n", 0, TGR_ERROR_FILE_MISMATCH, "option ''"},
    };
    tgr_context *context = test_context(1, 0);
    tgr_config *config = NULL;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const size_t length = cases[i].length ? cases[i].length : strlen(cases[i].text);
        assert_fails(cases[i].status, cases[i].message, load_text(context, cases[i].text, length, &config));
        assert_null(config);
    }
    char *longest = malloc(TGR_OPTIONS_TEXT_BYTES + 1);
    assert_non_null(longest);
    memset(longest, 'x', TGR_OPTIONS_TEXT_BYTES + 1);
    assert_fails(TGR_ERROR_FILE_CORRUPT, "without", load_text(context, longest, TGR_OPTIONS_TEXT_BYTES, &config));
    assert_fails(TGR_ERROR_FILE_MISMATCH, "u8 [131073]",
                 load_text(context, longest, TGR_OPTIONS_TEXT_BYTES + 1, &config));
    free(longest);
    tgr_context_free(context);
}

static void check_huge(const char *text) {
    tgr_context *context = test_context(1, 0);
    test_craft *craft = malloc(sizeof *craft);
    char *path = test_file_create();
    tgr_model *model = NULL;
    assert_non_null(craft);
    test_craft_start(craft);
    test_craft_bytes(craft, "m.options", text, strlen(text));
    test_craft_end(craft, test_craft_end_header(craft));
    test_file_write(path, craft->bytes, craft->size);
    free(craft);
    assert_fails(TGR_ERROR_FILE_MISMATCH, "cannot hold", tgr_model_load(&model, context, path, "m"));
    assert_null(model);
    assert_true(tgr_context_peak_bytes(context) < 4 << 20);
    test_file_remove(path);
    tgr_context_free(context);
}

/* A few bytes of options cannot make the library ask for the memory of the model that they describe. */
static void test_huge_model_in_small_file(void **state) {
    (void)state;
    check_huge("set embed_dim=65536\nset heads=64\nset depth=1\nset mlp_ratio=64\n");
    check_huge("set embed_dim=2\nset heads=1\nset depth=1024\n");
    check_huge("set image_size=8192\nset patch_size=1\nset depth=1\n");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_option_comes_back),
        cmocka_unit_test(test_values_outlive_defaults),
        cmocka_unit_test(test_text_that_is_refused),
        cmocka_unit_test(test_huge_model_in_small_file),
    };
    return cmocka_run_group_tests_name("checkpoint options", tests, NULL, NULL);
}

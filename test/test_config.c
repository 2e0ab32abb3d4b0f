/* SPDX-License-Identifier: MIT */
/* The option table and configs: every row, every setter, who goes before whom, and text in any locale. */
#include <inttypes.h>
#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/config.h"
#include "base/names.h"
#include "base/number.h"
#include "base/options.h"
#include "support.h"

static tgr_context *context;

static int start(void **state) {
    (void)state;
    context = test_context(1, 0);
    return 0;
}

static int stop(void **state) {
    (void)state;
    tgr_context_free(context);
    return 0;
}

static tgr_config *make(void) {
    tgr_config *config = test_config(context, "");
    return config;
}

static const char *get(const tgr_config *config, const char *key) {
    static char text[1024];
    assert_status(TGR_OK, tgr_config_get(config, key, text, sizeof text));
    return text;
}

static int is_integer(const tgr_option_row *row) {
    return row->type == TGR_TYPE_I64 || row->type == TGR_TYPE_BOOL || row->type == TGR_TYPE_CHOICE;
}

/* How many methods have a trait, by name or in their row. */
static int64_t count_users(const char *trait) {
    int64_t users = 0;
    FOR(i, tgr_method_count()) {
        tgr_method_description method = {.struct_size = sizeof method};
        assert_status(TGR_OK, tgr_method_describe(i, &method));
        users += strcmp(method.name, trait) == 0 || tgr_names_find(method.traits, trait) >= 0;
    }
    return users;
}

static void check_row(int64_t index, const tgr_option_description *row) {
    int64_t users = 0;
    assert_int_equal(tgr_option_find(row->key), tgr_option_at(index));
    assert_true(row->least < row->most && strlen(row->help) > 5);
    assert_int_equal(row->choices != NULL, row->type == TGR_TYPE_CHOICE);
    if (index > 0) assert_true(tgr_option_rows[index].number > tgr_option_rows[index - 1].number);
    FOR(i, tgr_method_count()) users += tgr_method_uses_option(i, tgr_option_at(index));
    assert_int_equal(users, *row->trait ? count_users(row->trait) : tgr_method_count());
    assert_true(users > 0);
    if (row->choices != NULL) { /* as many names as the range has numbers */
        int64_t bars = 0;
        for (const char *at = row->choices; *at; at++) bars += *at == '|';
        assert_int_equal(bars, (int64_t)row->most);
    }
}

static void test_table_is_sound(void **state) {
    (void)state;
    int64_t count = tgr_option_count();
    assert_int_equal(count, TGR_OPTION_ROWS);
    FOR(i, count) {
        tgr_option_description row = {.struct_size = sizeof row};
        assert_status(TGR_OK, tgr_option_describe(tgr_option_at(i), &row));
        check_row(i, &row);
        tgr_config *config = make(); /* the default can be set as text, and is what an unset option has */
        char before[1024];
        strcpy(before, get(config, row.key));
        assert_status(TGR_OK, tgr_config_set(config, row.key, row.standard));
        assert_string_equal(get(config, row.key), before);
        tgr_config_free(config);
    }
}

/* Every trait of a method is that of an option, so none is misspelt. */
static void test_traits(void **state) {
    (void)state;
    FOR(i, tgr_method_count()) {
        tgr_method_description method = {.struct_size = sizeof method};
        assert_status(TGR_OK, tgr_method_describe(i, &method));
        char *copy = strdup(method.traits), *rest;
        for (char *trait = strtok_r(copy, "|", &rest); trait != NULL; trait = strtok_r(NULL, "|", &rest)) {
            int64_t options = 0;
            for (int row = 0; row < TGR_OPTION_ROWS; row++) options += strcmp(tgr_option_rows[row].trait, trait) == 0;
            if (options == 0) fail_msg("no option has the trait '%s' of method '%s'", trait, method.name);
        }
        free(copy);
    }
    assert_int_equal(tgr_method_uses_option(TGR_METHOD_DENSE, TGR_OPTION_TOP_K), 1);
    assert_int_equal(tgr_method_uses_option(TGR_METHOD_DENSE, TGR_OPTION_IMPORTANCE_WEIGHT), 0);
    assert_int_equal(tgr_method_uses_option(TGR_METHOD_DENSE, TGR_OPTION_LR), 1);
    assert_int_equal(tgr_method_uses_option(TGR_METHOD_STABLE, TGR_OPTION_STABLE_WIDTH), 1);
    assert_int_equal(tgr_method_uses_option(TGR_METHOD_VMOE, TGR_OPTION_STABLE_WIDTH), 0);
    assert_int_equal(tgr_method_uses_option(-1, TGR_OPTION_LR), 0);
    assert_int_equal(tgr_method_uses_option(tgr_method_count(), TGR_OPTION_LR), 0);
    assert_int_equal(tgr_method_uses_option(TGR_METHOD_VMOE, (tgr_option)99), 0);
}

/* "key=value key=value" of a method or preset: every pair is one that can be set, and comes into force. */
static void check_defaults(const char *chooser, const char *name, const char *defaults) {
    tgr_config *config = make();
    assert_status(TGR_OK, tgr_config_set(config, chooser, name));
    char *copy = strdup(defaults);
    for (char *pair = strtok(copy, " "); pair != NULL; pair = strtok(NULL, " ")) {
        char *value = strchr(pair, '=');
        assert_non_null(value);
        *value++ = '\0';
        assert_string_equal(get(config, pair), value);
        assert_int_equal(tgr_config_is_set(config, tgr_option_find(pair)), 0);
        assert_status(TGR_OK, tgr_config_set(config, pair, value));
    }
    free(copy);
    tgr_config_free(config);
}

/* A method's own defaults are of options that it uses. */
static void check_used(const char *method, const char *defaults) {
    tgr_config *config = make();
    assert_status(TGR_OK, tgr_config_set(config, "method", method));
    char *copy = strdup(defaults);
    for (char *pair = strtok(copy, " "); pair != NULL; pair = strtok(NULL, " ")) {
        char *value = strchr(pair, '=');
        *value++ = '\0';
        assert_status(TGR_OK, tgr_config_set(config, pair, value));
    }
    assert_status(TGR_OK, tgr_config_check_methods(config));
    free(copy);
    tgr_config_free(config);
}

static void test_methods_and_presets(void **state) {
    (void)state;
    FOR(i, tgr_method_count()) {
        tgr_method_description method = {.struct_size = sizeof method};
        assert_status(TGR_OK, tgr_method_describe(i, &method));
        check_defaults("method", method.name, method.defaults);
        check_used(method.name, method.defaults);
        assert_true(strlen(method.source) > 5);
        assert_int_equal(tgr_method_find(method.name), i);
    }
    assert_int_equal(tgr_method_count(), (int64_t)tgr_option_find_row(TGR_OPTION_METHOD)->most + 1);
    assert_int_equal(tgr_method_find("vmeo"), -1);
    assert_int_equal(tgr_method_find(NULL), -1);
    tgr_method_description none = {.struct_size = sizeof none};
    assert_fails(TGR_ERROR_RANGE, "index", tgr_method_describe(tgr_method_count(), &none));
    assert_fails(TGR_ERROR_RANGE, "index", tgr_method_describe(-1, &none));
#define CHECK_PRESET(index, NAME, word, name, defaults) \
    check_defaults("preset", name, defaults);           \
    assert_string_equal(tgr_preset_defaults(index), defaults);
    TGR_PRESET_MAP(CHECK_PRESET)
}

/* The message of a misspelt name ends with `hint`. */
static void check_hint(const char *key, const char *value, const char *hint) {
    tgr_config *config = make();
    assert_int_not_equal(tgr_config_set(config, key, value), TGR_OK);
    const char *message = tgr_last_error(), *asked = strstr(message, "; did you mean");
    if (strcmp(asked ? asked : "", hint) != 0) fail_msg("'%s' does not end with '%s'", message, hint);
    tgr_config_free(config);
}

static void test_suggestions(void **state) {
    (void)state;
    check_hint("method", "vmeo", "; did you mean 'vmoe'?");
    check_hint("method", "expert_choice", "; did you mean 'expert-choice'?");
    check_hint("method", "Vmoe", "; did you mean 'vmoe'?");
    check_hint("method", "mixture", "");
    check_hint("method", "", "");
    check_hint("optimizer", "adam", "; did you mean 'adamw'?");

    check_hint("recompute", "block", "; did you mean 'blocks'?");
    check_hint("experts", "eight", "");
    check_hint("expert", "8", "; did you mean 'experts'?");
    check_hint("topk", "1", "; did you mean 'top_k'?");
    check_hint("leraning_rate", "1", "");
    check_hint("betaa1", "0.9", "; did you mean 'beta1'?");
    check_hint("", "1", "");
    check_hint("a_key_that_is_much_longer_than_any_option_has_ever_been", "1", "");
    tgr_config *config = make();
    char text[8];
    assert_fails(TGR_ERROR_OPTION, "'head'; did you mean 'heads'?", tgr_config_get(config, "head", text, sizeof text));
    tgr_config_free(config);
}

static void check_range_of_integer(tgr_config *config, const tgr_option_row *row) {
    const tgr_option option = (tgr_option)row->number;
    const int64_t least = (int64_t)row->least, most = (int64_t)row->most;
    const int64_t bad[] = {least - 1, most + 1, INT64_MIN, INT64_MAX};
    int64_t value;
    assert_status(TGR_OK, tgr_config_set_i64(config, option, least));
    assert_status(TGR_OK, tgr_config_set_i64(config, option, most));
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        char text[64];
        snprintf(text, sizeof text, "%" PRId64, bad[i]);
        assert_fails(TGR_ERROR_RANGE, row->key, tgr_config_set_i64(config, option, bad[i]));
        assert_fails(TGR_ERROR_RANGE, row->key, tgr_config_set(config, row->key, text));
    }
    assert_status(TGR_OK, tgr_config_get_i64(config, option, &value));
    assert_int_equal(value, most);
    static const char *const texts[] = {"", "x", "1.5", "1x", "99999999999999999999", "0x1", "1,2"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        assert_fails(TGR_ERROR_RANGE, row->key, tgr_config_set(config, row->key, texts[i]));
    assert_fails(TGR_ERROR_OPTION, row->key, tgr_config_set_f64(config, option, 1));
    assert_fails(TGR_ERROR_OPTION, row->key, tgr_config_set_list(config, option, &value, 1));
}

static void check_range_of_real(tgr_config *config, const tgr_option_row *row) {
    const tgr_option option = (tgr_option)row->number;
    const double bad[] = {nextafter(row->least, -1), nextafter(row->most, 2e9), NAN, INFINITY, -INFINITY};
    double value;
    assert_status(TGR_OK, tgr_config_set_f64(config, option, row->least));
    assert_status(TGR_OK, tgr_config_set_f64(config, option, row->most));
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_fails(TGR_ERROR_RANGE, row->key, tgr_config_set_f64(config, option, bad[i]));
    static const char *const texts[] = {"",    "x",   "0.5x",  "0,5", " 0.5", "0.5 ",  "0x1p-1",
                                        "nan", "inf", "1e999", ".",   "-",    "1.2.3", "-1e-300"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        assert_fails(TGR_ERROR_RANGE, row->key, tgr_config_set(config, row->key, texts[i]));
    assert_status(TGR_OK, tgr_config_get_f64(config, option, &value));
    assert_close(value, row->most, 0);
    int64_t number = 1;
    assert_fails(TGR_ERROR_OPTION, row->key, tgr_config_set_i64(config, option, number));
    assert_fails(TGR_ERROR_OPTION, row->key, tgr_config_get_i64(config, option, &number));
    assert_fails(TGR_ERROR_OPTION, row->key, tgr_config_get_list(config, option, &number, 1, &number));
}

static void check_range_of_list(tgr_config *config, const tgr_option_row *row) {
    const tgr_option option = (tgr_option)row->number;
    int64_t many[TGR_LIST_MAX + 1], back[TGR_LIST_MAX], count;
    for (int i = 0; i <= TGR_LIST_MAX; i++) many[i] = 1 + i;
    assert_status(TGR_OK, tgr_config_set_list(config, option, many, TGR_LIST_MAX));
    assert_status(TGR_OK, tgr_config_get_list(config, option, back, TGR_LIST_MAX, &count));
    assert_int_equal(count, TGR_LIST_MAX);
    assert_same_bytes(back, many, sizeof back);
    back[3] = -7;
    assert_status(TGR_OK, tgr_config_get_list(config, option, back, 3, &count)); /* no more than there is room for */
    assert_int_equal(count, TGR_LIST_MAX);
    assert_int_equal(back[3], -7);
    assert_fails(TGR_ERROR_RANGE, row->key, tgr_config_set_list(config, option, many, TGR_LIST_MAX + 1));
    assert_fails(TGR_ERROR_RANGE, row->key, tgr_config_set_list(config, option, many, -1));
    assert_fails(TGR_ERROR_RANGE, row->key, tgr_config_set_list(config, option, (const int64_t[]){0}, 1));
    assert_fails(TGR_ERROR_RANGE, row->key, tgr_config_set_list(config, option, (const int64_t[]){1025}, 1));
    assert_fails(TGR_ERROR_ARGUMENT, "'values'", tgr_config_set_list(config, option, NULL, 1));
    static const char *const texts[] = {"1,", ",1", "1,,2", "x", "1;2", "1.5", "0", "1025", "1,x", "1 2"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        assert_fails(TGR_ERROR_RANGE, row->key, tgr_config_set(config, row->key, texts[i]));
    char longest[4 * TGR_LIST_MAX + 8] = "1";
    for (int i = 2; i <= TGR_LIST_MAX + 1; i++) sprintf(longest + strlen(longest), ",%d", i);
    assert_fails(TGR_ERROR_RANGE, row->key, tgr_config_set(config, row->key, longest));
    assert_status(TGR_OK, tgr_config_get_list(config, option, NULL, 0, &count));
    assert_int_equal(count, TGR_LIST_MAX);
    assert_status(TGR_OK, tgr_config_set_list(config, option, NULL, 0));
    assert_string_equal(get(config, row->key), "");
    assert_status(TGR_OK, tgr_config_set(config, row->key, "2,30,400"));
    assert_string_equal(get(config, row->key), "2,30,400");
    const int ascends = row->number == TGR_OPTION_MOE_BLOCKS;
    assert_int_equal(tgr_config_set(config, row->key, "3,2"), ascends ? TGR_ERROR_RANGE : TGR_OK);
    assert_int_equal(tgr_config_set(config, row->key, "3,3"), ascends ? TGR_ERROR_RANGE : TGR_OK);
}

static void check_choices(tgr_config *config, const tgr_option_row *row) {
    char *copy = strdup(row->choices);
    int64_t index = 0, value;
    for (char *name = strtok(copy, "|"); name != NULL; name = strtok(NULL, "|"), index++) {
        assert_status(TGR_OK, tgr_config_set(config, row->key, name));
        assert_status(TGR_OK, tgr_config_get_i64(config, (tgr_option)row->number, &value));
        assert_int_equal(value, index);
        assert_string_equal(get(config, row->key), name);
    }
    free(copy);
    assert_fails(TGR_ERROR_RANGE, row->choices, tgr_config_set(config, row->key, "neither"));
    assert_fails(TGR_ERROR_RANGE, row->choices, tgr_config_set(config, row->key, ""));
    assert_fails(TGR_ERROR_RANGE, row->choices, tgr_config_set(config, row->key, row->choices));
}

static void test_every_range(void **state) {
    (void)state;
    for (int i = 0; i < TGR_OPTION_ROWS; i++) {
        const tgr_option_row *row = &tgr_option_rows[i];
        tgr_config *config = make();
        if (is_integer(row)) check_range_of_integer(config, row);
        if (row->type == TGR_TYPE_F64) check_range_of_real(config, row);
        if (row->type == TGR_TYPE_LIST) check_range_of_list(config, row);
        if (row->type == TGR_TYPE_CHOICE) check_choices(config, row);
        tgr_config_free(config);
    }
}

/* Explicit before method before preset before table, in any order of setting. */
static void test_precedence(void **state) {
    (void)state;
    static const char *const keys[] = {"preset", "method", "router_noise", "embed_dim", "moe_blocks"};
    static const char *const values[] = {"fashion", "vmoe", "0.5", "48", "1"};
    enum { KEYS = 5, ORDERS = 120 };
    for (int order = 0; order < ORDERS; order++) {
        int places[KEYS] = {0, 1, 2, 3, 4}, rest = order;
        for (int i = 0; i < KEYS; i++) { /* the permutation of that number */
            const int pick = i + rest % (KEYS - i), taken = places[pick];
            rest /= KEYS - i;
            places[pick] = places[i];
            places[i] = taken;
        }
        tgr_config *config = make();
        for (int i = 0; i < KEYS; i++)
            assert_status(TGR_OK, tgr_config_set(config, keys[places[i]], values[places[i]]));
        assert_string_equal(get(config, "router_noise"), "0.5");
        assert_string_equal(get(config, "embed_dim"), "48");
        assert_string_equal(get(config, "moe_blocks"), "1");
        assert_string_equal(get(config, "importance_weight"), "0.005"); /* the method's */
        assert_string_equal(get(config, "image_size"), "28");           /* the preset's */
        assert_string_equal(get(config, "drop_path"), "0");             /* the table's */
        assert_status(TGR_OK, tgr_config_set(config, "preset", "small"));
        assert_status(TGR_OK, tgr_config_set(config, "method", "dense"));
        assert_string_equal(get(config, "embed_dim"), "48");
        assert_string_equal(get(config, "image_size"), "224");
        assert_string_equal(get(config, "importance_weight"), "0");
        tgr_config_free(config);
    }
}

static void test_copies_and_failures(void **state) {
    (void)state;
    tgr_config *config = make(), *copy = NULL;
    assert_status(TGR_OK, tgr_config_set(config, "heads", "4"));
    assert_status(TGR_OK, tgr_config_copy(&copy, config));
    assert_status(TGR_OK, tgr_config_set(config, "heads", "5"));
    assert_fails(TGR_ERROR_RANGE, "heads", tgr_config_set(config, "heads", "0"));
    assert_string_equal(get(copy, "heads"), "4");
    assert_string_equal(get(config, "heads"), "5"); /* as before the call that failed */
    tgr_config_free(config);
    assert_int_equal(tgr_config_is_set(copy, TGR_OPTION_HEADS), 1);
    tgr_config_free(copy);
    tgr_config_free(NULL);
}

static void test_misuse(void **state) {
    (void)state;
    tgr_config *config = make(), *out = config;
    const tgr_option none = (tgr_option)99;
    int64_t number = 0, count = 0;
    double real = 0;
    char text[8];
    tgr_option_description row = {.struct_size = sizeof row};
    assert_int_equal(tgr_option_at(-1), 0);
    assert_int_equal(tgr_option_at(TGR_OPTION_ROWS), 0);
    assert_int_equal(tgr_option_find(NULL), 0);
    assert_int_equal(tgr_option_find("head"), 0);
    assert_int_equal(tgr_option_find(""), 0);
    assert_fails(TGR_ERROR_OPTION, "99", tgr_option_describe(none, &row));
    assert_fails(TGR_ERROR_OPTION, "0", tgr_option_describe(tgr_option_find("head"), &row));
    assert_fails(TGR_ERROR_ARGUMENT, "'out'", tgr_config_create(NULL, context));
    assert_fails(TGR_ERROR_ARGUMENT, "'context'", tgr_config_create(&out, NULL));
    assert_fails(TGR_ERROR_ARGUMENT, "'out'", tgr_config_copy(NULL, config));
    assert_fails(TGR_ERROR_ARGUMENT, "'config'", tgr_config_copy(&out, NULL));
    assert_fails(TGR_ERROR_ARGUMENT, "'config'", tgr_config_set_i64(NULL, TGR_OPTION_HEADS, 1));
    assert_fails(TGR_ERROR_OPTION, "99", tgr_config_set_i64(config, none, 1));
    assert_fails(TGR_ERROR_ARGUMENT, "'config'", tgr_config_set_f64(NULL, TGR_OPTION_LR, 1));
    assert_fails(TGR_ERROR_OPTION, "99", tgr_config_set_f64(config, none, 1));
    assert_fails(TGR_ERROR_ARGUMENT, "'config'", tgr_config_set_list(NULL, TGR_OPTION_MOE_BLOCKS, &number, 0));
    assert_fails(TGR_ERROR_OPTION, "99", tgr_config_set_list(config, none, &number, 0));
    assert_fails(TGR_ERROR_ARGUMENT, "'config'", tgr_config_set(NULL, "heads", "1"));
    assert_fails(TGR_ERROR_ARGUMENT, "'key'", tgr_config_set(config, NULL, "1"));
    assert_fails(TGR_ERROR_ARGUMENT, "'value'", tgr_config_set(config, "heads", NULL));
    assert_fails(TGR_ERROR_OPTION, "'head'", tgr_config_set(config, "head", "1"));
    assert_fails(TGR_ERROR_ARGUMENT, "'config'", tgr_config_get_i64(NULL, TGR_OPTION_HEADS, &number));
    assert_fails(TGR_ERROR_ARGUMENT, "'value'", tgr_config_get_i64(config, TGR_OPTION_HEADS, NULL));
    assert_fails(TGR_ERROR_OPTION, "99", tgr_config_get_i64(config, none, &number));
    assert_fails(TGR_ERROR_ARGUMENT, "'config'", tgr_config_get_f64(NULL, TGR_OPTION_LR, &real));
    assert_fails(TGR_ERROR_ARGUMENT, "'value'", tgr_config_get_f64(config, TGR_OPTION_LR, NULL));
    assert_fails(TGR_ERROR_OPTION, "heads", tgr_config_get_f64(config, TGR_OPTION_HEADS, &real));
    assert_fails(TGR_ERROR_ARGUMENT, "'config'", tgr_config_get_list(NULL, TGR_OPTION_MOE_BLOCKS, NULL, 0, &count));
    assert_fails(TGR_ERROR_ARGUMENT, "'count'", tgr_config_get_list(config, TGR_OPTION_MOE_BLOCKS, NULL, 0, NULL));
    assert_fails(TGR_ERROR_ARGUMENT, "'values'", tgr_config_get_list(config, TGR_OPTION_MOE_BLOCKS, NULL, 1, &count));
    assert_fails(TGR_ERROR_ARGUMENT, "'config'", tgr_config_get(NULL, "heads", text, 8));
    assert_fails(TGR_ERROR_ARGUMENT, "'key'", tgr_config_get(config, NULL, text, 8));
    assert_fails(TGR_ERROR_ARGUMENT, "'text'", tgr_config_get(config, "heads", NULL, 8));
    assert_fails(TGR_ERROR_OPTION, "'head'", tgr_config_get(config, "head", text, 8));
    assert_int_equal(tgr_config_is_set(NULL, TGR_OPTION_HEADS), 0);
    assert_int_equal(tgr_config_is_set(config, none), 0);
    assert_status(TGR_OK, tgr_config_set(config, "image_size", "123"));
    for (size_t size = 0; size < 4; size++) {
        memset(text, '?', sizeof text);
        assert_fails(TGR_ERROR_RANGE, "needs 4", tgr_config_get(config, "image_size", text, size));
        assert_int_equal(text[0], '?');
    }
    assert_status(TGR_OK, tgr_config_get(config, "image_size", text, 4));
    assert_ptr_equal(out, config);
    tgr_config_free(config);
}

static tgr_status make_and_copy(const tgr_allocator *allocator, void *user) {
    (void)user;
    tgr_context *scarce = NULL;
    tgr_config *config = NULL, *copy = NULL;
    tgr_status status = TGR_OK;
    TGR_TRY_DONE(test_context_create(&scarce, allocator));
    TGR_TRY_DONE(tgr_config_create(&config, scarce));
    TGR_TRY_DONE(tgr_config_copy(&copy, config));
done:
    tgr_context_free(scarce);
    tgr_config_free(config);
    tgr_config_free(copy);
    return status;
}

static void test_every_allocation_fails(void **state) {
    (void)state;
    assert_true(test_each_allocation_failing(make_and_copy, NULL) >= 2);
}

static void check_numbers(void) {
    static const double numbers[] = {0,        1,         -1,   0.1,      0.005,
                                     1.0 / 3,  1e-8,      1e22, 1e23,     5e-324,
                                     2.5e-310, 0x1.8p-30, 4096, 123456.5, 1.7976931348623157e308};
    char text[TGR_NUMBER_BYTES];
    double value;
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        tgr_number_write(numbers[i], text);
        assert_true(tgr_number_parse(text, &value));
        assert_same_bytes(&value, &numbers[i], sizeof value);
        assert_int_equal(strspn(text, "0123456789.+-e"), strlen(text));
    }
    test_random random = test_random_start(1);
    for (int i = 0; i < 20000; i++) {
        const uint64_t bits = test_random_word(&random);
        double number;
        memcpy(&number, &bits, sizeof number);
        if (!isfinite(number)) continue;
        tgr_number_write(number, text);
        assert_true(tgr_number_parse(text, &value));
        assert_same_bytes(&value, &number, sizeof value);
    }
    tgr_number_write(0.005, text);
    assert_string_equal(text, "0.005");
    assert_false(tgr_number_parse("0,5", &value));
}

static void test_numbers(void **state) {
    (void)state;
    check_numbers();
}

/* Sets the locale, making it if the system has its source but not itself; 0 when it cannot be had. */
static int set_locale(const char *source, const char *directory) {
    char name[64], command[512];
    snprintf(name, sizeof name, "%s.UTF-8", source);
    if (setlocale(LC_ALL, name) != NULL) return 1;
    snprintf(command, sizeof command, "localedef -i %s -f UTF-8 %s/%s >/dev/null 2>&1", source, directory, name);
    if (system(command) != 0) return 0;
    setenv("LOCPATH", directory, 1);
    return setlocale(LC_ALL, name) != NULL;
}

static void check_locale(const char *source) {
    char *directory = test_folder_create();
    const int there = set_locale(source, directory);
    if (there) {
        char local[32];
        snprintf(local, sizeof local, "%.1f", 1.5);
        assert_string_not_equal(local, "1.5"); /* or else this would test nothing */
        check_numbers();
        tgr_config *config = make();
        assert_status(TGR_OK, tgr_config_set(config, "method", "vmoe"));
        assert_string_equal(get(config, "importance_weight"), "0.005");
        assert_string_equal(get(config, "beta2"), "0.999");
        assert_status(TGR_OK, tgr_config_set(config, "lr", "0.25"));
        assert_close(tgr_option_f64(config, TGR_OPTION_LR), 0.25, 0);
        assert_fails(TGR_ERROR_RANGE, "number is needed", tgr_config_set(config, "lr", "0,25"));
        assert_fails(TGR_ERROR_RANGE, "-0.5; it must be 0 to 0.99", tgr_config_set(config, "drop_path", "-0.5"));
        tgr_config_free(config);
    }
    setlocale(LC_ALL, "C");
    unsetenv("LOCPATH");
    test_folder_remove(directory);
    if (!there) skip();
}

static void test_decimal_comma(void **state) {
    (void)state;
    check_locale("de_DE");
}

static void test_decimal_point_of_two_bytes(void **state) {
    (void)state;
    check_locale("ps_AF");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_table_is_sound),
        cmocka_unit_test(test_traits),
        cmocka_unit_test(test_suggestions),
        cmocka_unit_test(test_methods_and_presets),
        cmocka_unit_test(test_every_range),
        cmocka_unit_test(test_precedence),
        cmocka_unit_test(test_copies_and_failures),
        cmocka_unit_test(test_misuse),
        cmocka_unit_test(test_every_allocation_fails),
        cmocka_unit_test(test_numbers),
        cmocka_unit_test(test_decimal_comma),
        cmocka_unit_test(test_decimal_point_of_two_bytes),
    };
    return cmocka_run_group_tests_name("config", tests, start, stop);
}

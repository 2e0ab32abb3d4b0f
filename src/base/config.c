/* SPDX-License-Identifier: MIT */
/* A config: one value for each row of the option table. What the caller did not set comes from the method, else the
 * preset, else the table; this is resolved again whenever something is set, so that reading cannot fail. */
#include "base/config.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/context.h"
#include "base/memory.h"
#include "base/names.h"
#include "base/number.h"
#include "base/options.h"
#include "base/status.h"

typedef struct option_value {
    int64_t integer;
    double real;
    int64_t list[TGR_LIST_MAX];
    int64_t list_count;
} option_value;

/* An option that the host must set. */
typedef struct asked_option {
    const tgr_option_row *row; /* NULL for none */
    char why[TGR_ASK_BYTES];
} asked_option;

enum { ASKED_MOST = 4 };

struct tgr_config {
    tgr_context *context;
    option_value values[TGR_OPTION_ROWS];
    unsigned char set[TGR_OPTION_ROWS];
    asked_option asked[ASKED_MOST];
};

static int row_index(const tgr_option_row *row) {
    TGR_ASSERT(row >= tgr_option_rows && row < tgr_option_rows + TGR_OPTION_ROWS);
    return (int)(row - tgr_option_rows);
}

static tgr_status check_number(const tgr_option_row *row, double value) {
    if (value >= row->least && value <= row->most) return TGR_OK;
    char given[TGR_NUMBER_BYTES], least[TGR_NUMBER_BYTES], most[TGR_NUMBER_BYTES];
    tgr_number_write(value, given);
    tgr_number_write(row->least, least);
    tgr_number_write(row->most, most);
    return tgr_fail(TGR_ERROR_RANGE, "%s is %s; it must be %s to %s", row->key, given, least, most);
}

static tgr_status check_list(const tgr_option_row *row, const int64_t *values, int64_t count) {
    TGR_REQUIRE(count >= 0 && count <= TGR_LIST_MAX, TGR_ERROR_RANGE, "%s has %lld numbers; it may have 0 to %d",
                row->key, (long long)count, TGR_LIST_MAX);
    for (int64_t i = 0; i < count; i++) {
        TGR_TRY(check_number(row, (double)values[i]));
        TGR_REQUIRE(row->number != TGR_OPTION_MOE_BLOCKS || i == 0 || values[i] > values[i - 1], TGR_ERROR_RANGE,
                    "%s has %lld after %lld; the numbers must ascend", row->key, (long long)values[i],
                    (long long)values[i - 1]);
    }
    return TGR_OK;
}

static tgr_status parse_choice(const tgr_option_row *row, const char *text, int64_t *value) {
    char hint[TGR_HINT_BYTES];
    tgr_nearest nearest = {.text = text};
    const int64_t index = tgr_names_find(row->choices, text);
    if (index < 0) tgr_nearest_offer_all(&nearest, row->choices);
    TGR_REQUIRE(index >= 0, TGR_ERROR_RANGE, "%s is '%s'; it must be one of %s%s", row->key, text, row->choices,
                tgr_nearest_hint(&nearest, hint));
    *value = index;
    return TGR_OK;
}

static tgr_status parse_integer(const tgr_option_row *row, const char *text, const char **end, int64_t *value) {
    errno = 0;
    char *stop = NULL;
    const long long number = strtoll(text, &stop, 10);
    TGR_REQUIRE(stop != text && errno == 0, TGR_ERROR_RANGE, "%s is '%s'; a whole number is needed", row->key, text);
    *value = number;
    *end = stop;
    return TGR_OK;
}

static tgr_status parse_list(const tgr_option_row *row, const char *text, option_value *value) {
    value->list_count = 0;
    for (const char *at = text; *at;) {
        TGR_REQUIRE(value->list_count < TGR_LIST_MAX, TGR_ERROR_RANGE, "%s has more than %d numbers", row->key,
                    TGR_LIST_MAX);
        TGR_TRY(parse_integer(row, at, &at, &value->list[value->list_count++]));
        TGR_REQUIRE(*at == '\0' || (*at == ',' && at[1] != '\0'), TGR_ERROR_RANGE,
                    "%s is '%s'; whole numbers separated by commas are needed", row->key, text);
        if (*at == ',') at++;
    }
    return check_list(row, value->list, value->list_count);
}

static tgr_status parse_value(const tgr_option_row *row, const char *text, option_value *value) {
    const char *end = text;
    switch (row->type) {
        case TGR_TYPE_CHOICE:
            return parse_choice(row, text, &value->integer);
        case TGR_TYPE_LIST:
            return parse_list(row, text, value);
        case TGR_TYPE_F64:
            TGR_REQUIRE(tgr_number_parse(text, &value->real), TGR_ERROR_RANGE, "%s is '%s'; a number is needed",
                        row->key, text);
            return check_number(row, value->real);
        case TGR_TYPE_I64:
        case TGR_TYPE_BOOL:
            TGR_TRY(parse_integer(row, text, &end, &value->integer));
            TGR_REQUIRE(*end == '\0', TGR_ERROR_RANGE, "%s is '%s'; a whole number is needed", row->key, text);
            return check_number(row, (double)value->integer);
    }
    return tgr_fail(TGR_ERROR_OPTION, "%s has no known type", row->key);
}

/* Gives unset options the values in a table's text, "key=value key=value". The tables are the library's own: parsing
 * cannot fail (a test reads every row). */
static void apply_defaults(tgr_config *config, const char *defaults) {
    while (*defaults) {
        const size_t length = strcspn(defaults, " ");
        const size_t key = strcspn(defaults, "=");
        char text[64] = "";
        if (key < length && length - key - 1 < sizeof text) memcpy(text, defaults + key + 1, length - key - 1);
        const tgr_option_row *row = tgr_option_find_key(defaults, key);
        TGR_ASSERT(row != NULL && length - key - 1 < sizeof text);
        if (row && !config->set[row_index(row)]) {
            tgr_status parsed = parse_value(row, text, &config->values[row_index(row)]);
            TGR_ASSERT(parsed == TGR_OK);
        }
        defaults += length;
        defaults += strspn(defaults, " ");
    }
}

static void resolve(tgr_config *config) {
    for (int i = 0; i < TGR_OPTION_ROWS; i++) {
        if (config->set[i]) continue;
        tgr_status parsed = parse_value(&tgr_option_rows[i], tgr_option_rows[i].standard, &config->values[i]);
        TGR_ASSERT(parsed == TGR_OK);
    }
    apply_defaults(config, tgr_preset_defaults(tgr_option_i64(config, TGR_OPTION_PRESET)));
    apply_defaults(config, tgr_method_defaults(tgr_option_i64(config, TGR_OPTION_METHOD)));
}

static void store(tgr_config *config, const tgr_option_row *row, const option_value *value) {
    config->values[row_index(row)] = *value;
    config->set[row_index(row)] = 1;
    for (int i = 0; i < ASKED_MOST; i++)
        if (config->asked[i].row == row) config->asked[i].row = NULL;
    resolve(config);
}

tgr_status tgr_config_create(tgr_config **out, tgr_context *context) {
    TGR_ENTER;
    TGR_REQUIRE_ARGUMENT(out);
    TGR_REQUIRE_ARGUMENT(context);
    tgr_config *config = NULL;
    TGR_TRY(tgr_allocate(context, (void **)&config, 1, sizeof *config));
    tgr_context_retain(context);
    config->context = context;
    resolve(config);
    *out = config;
    return TGR_OK;
}

tgr_status tgr_config_copy(tgr_config **out, const tgr_config *config) {
    TGR_ENTER;
    TGR_REQUIRE_ARGUMENT(out);
    TGR_REQUIRE_ARGUMENT(config);
    tgr_config *copy = NULL;
    TGR_TRY(tgr_config_create(&copy, config->context));
    *copy = *config;
    *out = copy;
    return TGR_OK;
}

void tgr_config_free(tgr_config *config) {
    if (!config) return;
    tgr_context *context = config->context;
    tgr_release(context, config, 1, sizeof *config);
    tgr_context_free(context);
}

/* The row of `option`, if its type is one of `types`. */
static tgr_status find_typed(tgr_option option, unsigned types, const tgr_option_row **row) {
    TGR_TRY(tgr_option_require(option, row));
    TGR_REQUIRE(types >> (*row)->type & 1u, TGR_ERROR_OPTION, "option %s has a different type", (*row)->key);
    return TGR_OK;
}

enum {
    INTEGER_TYPES = 1u << TGR_TYPE_I64 | 1u << TGR_TYPE_BOOL | 1u << TGR_TYPE_CHOICE,
    REAL_TYPES = 1u << TGR_TYPE_F64,
    LIST_TYPES = 1u << TGR_TYPE_LIST
};

tgr_status tgr_config_set_i64(tgr_config *config, tgr_option option, int64_t value) {
    TGR_ENTER;
    TGR_REQUIRE_ARGUMENT(config);
    const tgr_option_row *row = NULL;
    TGR_TRY(find_typed(option, INTEGER_TYPES, &row));
    TGR_TRY(check_number(row, (double)value));
    store(config, row, &(option_value){.integer = value});
    return TGR_OK;
}

tgr_status tgr_config_set_f64(tgr_config *config, tgr_option option, double value) {
    TGR_ENTER;
    TGR_REQUIRE_ARGUMENT(config);
    const tgr_option_row *row = NULL;
    TGR_TRY(find_typed(option, REAL_TYPES, &row));
    TGR_TRY(check_number(row, value));
    store(config, row, &(option_value){.real = value});
    return TGR_OK;
}

tgr_status tgr_config_set_list(tgr_config *config, tgr_option option, const int64_t *values, int64_t count) {
    TGR_ENTER;
    TGR_REQUIRE_ARGUMENT(config);
    const tgr_option_row *row = NULL;
    TGR_TRY(find_typed(option, LIST_TYPES, &row));
    TGR_REQUIRE(values || count == 0, TGR_ERROR_ARGUMENT, "argument 'values' is NULL; %lld numbers are needed",
                (long long)count);
    TGR_TRY(check_list(row, values, count));
    option_value value = {.list_count = count};
    if (count > 0) memcpy(value.list, values, (size_t)count * sizeof *values);
    store(config, row, &value);
    return TGR_OK;
}

tgr_status tgr_config_set(tgr_config *config, const char *key, const char *value) {
    TGR_ENTER;
    TGR_REQUIRE_ARGUMENT(config);
    TGR_REQUIRE_ARGUMENT(key);
    TGR_REQUIRE_ARGUMENT(value);
    const tgr_option_row *row = NULL;
    TGR_TRY(tgr_option_require_key(key, &row));
    option_value parsed = {0};
    TGR_TRY(parse_value(row, value, &parsed));
    store(config, row, &parsed);
    return TGR_OK;
}

tgr_status tgr_config_get_i64(const tgr_config *config, tgr_option option, int64_t *value) {
    TGR_ENTER;
    TGR_REQUIRE_ARGUMENT(config);
    TGR_REQUIRE_ARGUMENT(value);
    const tgr_option_row *row = NULL;
    TGR_TRY(find_typed(option, INTEGER_TYPES, &row));
    *value = config->values[row_index(row)].integer;
    return TGR_OK;
}

tgr_status tgr_config_get_f64(const tgr_config *config, tgr_option option, double *value) {
    TGR_ENTER;
    TGR_REQUIRE_ARGUMENT(config);
    TGR_REQUIRE_ARGUMENT(value);
    const tgr_option_row *row = NULL;
    TGR_TRY(find_typed(option, REAL_TYPES, &row));
    *value = config->values[row_index(row)].real;
    return TGR_OK;
}

tgr_status tgr_config_get_list(const tgr_config *config, tgr_option option, int64_t *values, int64_t capacity,
                               int64_t *count) {
    TGR_ENTER;
    TGR_REQUIRE_ARGUMENT(config);
    TGR_REQUIRE_ARGUMENT(count);
    TGR_REQUIRE(values || capacity == 0, TGR_ERROR_ARGUMENT, "argument 'values' is NULL with capacity %lld",
                (long long)capacity);
    const tgr_option_row *row = NULL;
    TGR_TRY(find_typed(option, LIST_TYPES, &row));
    const option_value *value = &config->values[row_index(row)];
    for (int64_t i = 0; i < value->list_count && i < capacity; i++) values[i] = value->list[i];
    *count = value->list_count;
    return TGR_OK;
}

/* Appends to text[size] at *used; *used grows by the full length, even past the end, as with snprintf. */
static void append(char *text, size_t size, size_t *used, const char *piece, size_t length) {
    for (size_t i = 0; i < length; i++, ++*used) {
        if (*used + 1 < size) text[*used] = piece[i];
    }
    if (size > 0) text[*used < size ? *used : size - 1] = '\0';
}

tgr_status tgr_config_get(const tgr_config *config, const char *key, char *text, size_t size) {
    TGR_ENTER;
    TGR_REQUIRE_ARGUMENT(config);
    TGR_REQUIRE_ARGUMENT(key);
    TGR_REQUIRE_ARGUMENT(text);
    const tgr_option_row *row = NULL;
    TGR_TRY(tgr_option_require_key(key, &row));
    const option_value *value = &config->values[row_index(row)];
    char number[TGR_NUMBER_BYTES];
    char whole[1024] = "";
    size_t used = 0;
    if (row->type == TGR_TYPE_CHOICE) {
        size_t length = 0;
        const char *name = tgr_names_at(row->choices, value->integer, &length);
        append(whole, sizeof whole, &used, name, length);
    } else if (row->type == TGR_TYPE_LIST) {
        for (int64_t i = 0; i < value->list_count; i++) {
            const int length = snprintf(number, sizeof number, i ? ",%lld" : "%lld", (long long)value->list[i]);
            append(whole, sizeof whole, &used, number, (size_t)length);
        }
    } else {
        if (row->type == TGR_TYPE_F64)
            tgr_number_write(value->real, number);
        else
            snprintf(number, sizeof number, "%lld", (long long)value->integer);
        append(whole, sizeof whole, &used, number, strlen(number));
    }
    TGR_ASSERT(used < sizeof whole);
    TGR_REQUIRE(used < size, TGR_ERROR_RANGE, "size is %zu; the value of %s needs %zu", size, key, used + 1);
    memcpy(text, whole, used + 1);
    return TGR_OK;
}

int tgr_config_is_set(const tgr_config *config, tgr_option option) {
    const tgr_option_row *row = tgr_option_find_row(option);
    return config != NULL && row != NULL && config->set[row_index(row)];
}

/* The value of an option of one of these types. */
static const option_value *value_of(const tgr_config *config, tgr_option option, unsigned types) {
    const tgr_option_row *row = tgr_option_find_row(option);
    TGR_ASSERT(row != NULL && (types >> row->type & 1u));
    return &config->values[row_index(row)];
}

int64_t tgr_option_i64(const tgr_config *config, tgr_option option) {
    return value_of(config, option, INTEGER_TYPES)->integer;
}

double tgr_option_f64(const tgr_config *config, tgr_option option) {
    return value_of(config, option, REAL_TYPES)->real;
}

const int64_t *tgr_option_list(const tgr_config *config, tgr_option option, int64_t *count) {
    const option_value *value = value_of(config, option, LIST_TYPES);
    *count = value->list_count;
    return value->list;
}

int tgr_option_is_used(const tgr_config *config, tgr_option option) {
    return tgr_method_uses_option(tgr_option_i64(config, TGR_OPTION_METHOD), option);
}

/* The names of the methods that use an option, with bars between them. */
static void write_users(const tgr_option_row *row, char *text, size_t size) {
    size_t used = 0;
    *text = '\0';
    for (int64_t method = 0; method < tgr_method_count(); method++) {
        if (!tgr_method_uses_option(method, (tgr_option)row->number)) continue;
        if (used > 0) append(text, size, &used, "|", 1);
        append(text, size, &used, tgr_method_name(method), strlen(tgr_method_name(method)));
    }
}

tgr_status tgr_config_check_methods(const tgr_config *config) {
    char users[512];
    for (int i = 0; i < TGR_OPTION_ROWS; i++) {
        const tgr_option_row *row = &tgr_option_rows[i];
        if (!config->set[i] || tgr_option_is_used(config, (tgr_option)row->number)) continue;
        write_users(row, users, sizeof users);
        return tgr_fail(TGR_ERROR_OPTION, "option '%s' is set, but method '%s' does not use it; these do: %s", row->key,
                        tgr_method_name(tgr_option_i64(config, TGR_OPTION_METHOD)), users);
    }
    return TGR_OK;
}

void tgr_config_ask(tgr_config *config, tgr_option option, const char *why) {
    for (int i = 0; i < ASKED_MOST; i++) {
        asked_option *asked = &config->asked[i];
        if (asked->row != NULL) continue;
        asked->row = tgr_option_find_row(option);
        snprintf(asked->why, sizeof asked->why, "%s", why);
        return;
    }
}

tgr_status tgr_config_check_asked(const tgr_config *config) {
    char all[ASKED_MOST * (TGR_ASK_BYTES + 64)] = "";
    size_t used = 0;
    for (int i = 0; i < ASKED_MOST; i++) {
        const asked_option *asked = &config->asked[i];
        if (asked->row == NULL) continue;
        used += (size_t)snprintf(all + used, sizeof all - used, "%s%s; set option '%s'", used > 0 ? "; and " : "",
                                 asked->why, asked->row->key);
    }
    TGR_REQUIRE(used == 0, TGR_ERROR_OPTION, "%s", all);
    return TGR_OK;
}

int64_t tgr_hidden_width(const tgr_config *config, int64_t dim) {
    const int64_t width = llround(tgr_option_f64(config, TGR_OPTION_MLP_RATIO) * (double)dim);
    return width > 1 ? width : 1;
}

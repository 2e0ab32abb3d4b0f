/* SPDX-License-Identifier: MIT */
/* The option, method and preset tables as data, and the public functions that read them. */
#include "base/options.h"

#include <string.h>

#include "base/assert.h"
#include "base/config.h"
#include "base/status.h"

#define ROW(number, NAME, key, type, least, most, standard, choices, methods, help) \
    {number, key, TGR_TYPE_##type, least, most, standard, choices, methods, help},
const tgr_option_row tgr_option_rows[] = {TGR_OPTION_MAP(ROW)};
#undef ROW
_Static_assert(sizeof tgr_option_rows / sizeof *tgr_option_rows == TGR_OPTION_ROWS, "one row for each option");

static const struct {
    const char *name, *defaults, *source;
} methods[] = {
#define ROW(index, NAME, word, name, defaults, source) {name, defaults, source},
    TGR_METHOD_MAP(ROW)
#undef ROW
};

static const char *const preset_defaults[] = {
#define ROW(index, NAME, name, defaults) defaults,
    TGR_PRESET_MAP(ROW)
#undef ROW
};

const tgr_option_row *tgr_option_find_row(tgr_option option) {
    for (int i = 0; i < TGR_OPTION_ROWS; i++) {
        if (tgr_option_rows[i].number == (int)option) return &tgr_option_rows[i];
    }
    return NULL;
}

const tgr_option_row *tgr_option_find_key(const char *key, size_t length) {
    for (int i = 0; i < TGR_OPTION_ROWS; i++) {
        const char *candidate = tgr_option_rows[i].key;
        if (strlen(candidate) == length && memcmp(candidate, key, length) == 0) return &tgr_option_rows[i];
    }
    return NULL;
}

const char *tgr_preset_defaults(int64_t preset) {
    TGR_ASSERT(preset >= 0 && preset < (int64_t)(sizeof preset_defaults / sizeof *preset_defaults));
    return preset_defaults[preset];
}
const char *tgr_method_defaults(int64_t method) {
    TGR_ASSERT(method >= 0 && method < (int64_t)(sizeof methods / sizeof *methods));
    return methods[method].defaults;
}

const char *tgr_method_name(int64_t method) {
    TGR_ASSERT(method >= 0 && method < (int64_t)(sizeof methods / sizeof *methods));
    return methods[method].name;
}

const char *tgr_option_key(tgr_option option) {
    const tgr_option_row *row = tgr_option_find_row(option);
    return row ? row->key : "unknown";
}

tgr_status tgr_option_count(int64_t *count) {
    TGR_ENTER;
    TGR_REQUIRE_ARGUMENT(count);
    *count = TGR_OPTION_ROWS;
    return TGR_OK;
}

tgr_status tgr_option_at(int64_t index, tgr_option *option) {
    TGR_ENTER;
    TGR_REQUIRE_ARGUMENT(option);
    TGR_REQUIRE(index >= 0 && index < TGR_OPTION_ROWS, TGR_ERROR_RANGE, "index is %lld; it must be 0 to %d",
                (long long)index, TGR_OPTION_ROWS - 1);
    *option = (tgr_option)tgr_option_rows[index].number;
    return TGR_OK;
}

tgr_status tgr_option_find(const char *key, tgr_option *option) {
    TGR_ENTER;
    TGR_REQUIRE_ARGUMENT(key);
    TGR_REQUIRE_ARGUMENT(option);
    const tgr_option_row *row = tgr_option_find_key(key, strlen(key));
    TGR_REQUIRE(row, TGR_ERROR_OPTION, "there is no option '%s'", key);
    *option = (tgr_option)row->number;
    return TGR_OK;
}

tgr_status tgr_option_describe(tgr_option option, const char **key, tgr_option_type *type, double *least, double *most,
                               const char **standard, const char **choices, const char **methods_of,
                               const char **help) {
    TGR_ENTER;
    const tgr_option_row *row = tgr_option_find_row(option);
    TGR_REQUIRE(row, TGR_ERROR_OPTION, "there is no option number %d", (int)option);
    if (key) *key = row->key;
    if (type) *type = row->type;
    if (least) *least = row->least;
    if (most) *most = row->most;
    if (standard) *standard = row->standard;
    if (choices) *choices = row->choices;
    if (methods_of) *methods_of = row->methods;
    if (help) *help = row->help;
    return TGR_OK;
}

tgr_status tgr_method_describe(int64_t index, const char **name, const char **defaults, const char **source) {
    TGR_ENTER;
    const int64_t count = (int64_t)(sizeof methods / sizeof *methods);
    TGR_REQUIRE(index >= 0 && index < count, TGR_ERROR_RANGE, "index is %lld; it must be 0 to %lld", (long long)index,
                (long long)(count - 1));
    if (name) *name = methods[index].name;
    if (defaults) *defaults = methods[index].defaults;
    if (source) *source = methods[index].source;
    return TGR_OK;
}

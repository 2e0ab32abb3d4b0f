/* SPDX-License-Identifier: MIT */
/* The option, method and preset tables as data, and the public functions that read them. */
#include "base/options.h"

#include <string.h>

#include "base/assert.h"
#include "base/config.h"
#include "base/names.h"
#include "base/status.h"
#include "base/struct.h"

/* The column `allowed` of the option table. */
#define TGR_RANGE(least_value, most_value)     .least = (least_value), .most = (most_value)
#define TGR_CHOICES(MAP)                       .most = 0 MAP(ONE) - 1, .choices = &("" MAP(BAR_NAME))[1]
#define ONE(...)                               +1
#define BAR_NAME(index, NAME, word, name, ...) "|" name

#define ROW(number_, NAME, key_, type_, allowed, standard_, trait_, help_) \
    {.number = (number_),                                                  \
     .key = (key_),                                                        \
     .type = TGR_TYPE_##type_,                                             \
     allowed,                                                              \
     .standard = (standard_),                                              \
     .trait = (trait_),                                                    \
     .help = (help_)},
const tgr_option_row tgr_option_rows[] = {TGR_OPTION_MAP(ROW)};
#undef ROW
_Static_assert(sizeof tgr_option_rows / sizeof *tgr_option_rows == TGR_OPTION_ROWS, "one row for each option");

typedef struct method_row {
    const char *name, *traits, *defaults, *source;
} method_row;

static const method_row methods[] = {
#define ROW(index, NAME, word, name, traits, defaults, source) [index] = {name, traits, defaults, source},
    TGR_METHOD_MAP(ROW)
#undef ROW
};
enum { METHODS = sizeof methods / sizeof *methods };

static const char *const preset_defaults[] = {
#define ROW(index, NAME, word, name, defaults) [index] = (defaults),
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

tgr_status tgr_option_require(tgr_option option, const tgr_option_row **row) {
    *row = tgr_option_find_row(option);
    TGR_REQUIRE(*row, TGR_ERROR_OPTION, "there is no option number %d", (int)option);
    return TGR_OK;
}

tgr_status tgr_option_require_key(const char *key, const tgr_option_row **row) {
    char hint[TGR_HINT_BYTES];
    tgr_nearest nearest = {.text = key};
    *row = tgr_option_find_key(key, strlen(key));
    if (*row != NULL) return TGR_OK;
    for (int i = 0; i < TGR_OPTION_ROWS; i++)
        tgr_nearest_offer(&nearest, tgr_option_rows[i].key, strlen(tgr_option_rows[i].key));
    return tgr_fail(TGR_ERROR_OPTION, "there is no option '%s'%s", key, tgr_nearest_hint(&nearest, hint));
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

int64_t tgr_option_count(void) {
    return TGR_OPTION_ROWS;
}

tgr_option tgr_option_at(int64_t index) {
    return (tgr_option)(index >= 0 && index < TGR_OPTION_ROWS ? tgr_option_rows[index].number : 0);
}

tgr_option tgr_option_find(const char *key) {
    const tgr_option_row *row = key ? tgr_option_find_key(key, strlen(key)) : NULL;
    return (tgr_option)(row ? row->number : 0);
}

tgr_status tgr_option_describe(tgr_option option, tgr_option_description *description) {
    TGR_ENTER;
    const tgr_option_row *row = NULL;
    TGR_TRY(tgr_option_require(option, &row));
    const tgr_option_description found = {.key = row->key,
                                          .type = row->type,
                                          .least = row->least,
                                          .most = row->most,
                                          .standard = row->standard,
                                          .choices = row->choices,
                                          .trait = row->trait,
                                          .help = row->help};
    return TGR_STRUCT_WRITE(description, &found, help);
}

int64_t tgr_method_count(void) {
    return METHODS;
}

int64_t tgr_method_find(const char *name) {
    for (int64_t i = 0; name != NULL && i < METHODS; i++)
        if (strcmp(methods[i].name, name) == 0) return i;
    return -1;
}

tgr_status tgr_method_describe(int64_t index, tgr_method_description *description) {
    TGR_ENTER;
    TGR_REQUIRE(index >= 0 && index < METHODS, TGR_ERROR_RANGE, "argument 'index' is %lld; it must be 0 to %d",
                (long long)index, METHODS - 1);
    const method_row *row = &methods[index];
    const tgr_method_description found = {
        .name = row->name, .traits = row->traits, .defaults = row->defaults, .source = row->source};
    return TGR_STRUCT_WRITE(description, &found, source);
}

int tgr_method_uses_option(int64_t method, tgr_option option) {
    const tgr_option_row *row = tgr_option_find_row(option);
    if (row == NULL || method < 0 || method >= METHODS) return 0;
    return *row->trait == '\0' || strcmp(row->trait, methods[method].name) == 0 ||
           tgr_names_find(methods[method].traits, row->trait) >= 0;
}

/* SPDX-License-Identifier: MIT */
/* Configs to text and back. Values are written and read by tgr_config_get and tgr_config_set, which are exact and do
 * not depend on the locale. */
#include "checkpoint/options_text.h"

#include <stdio.h>
#include <string.h>

#include "base/assert.h"
#include "base/config.h"
#include "base/options.h"
#include "base/status.h"

#define VALUE_BYTES 1024 /* always enough for tgr_config_get */
#define LINE_BYTES  (VALUE_BYTES + 128)
_Static_assert(TGR_OPTION_ROWS *LINE_BYTES <= TGR_OPTIONS_TEXT_BYTES, "all options fit in the text");

static const char set_word[] = "set ", default_word[] = "default ";

tgr_status tgr_options_write(const tgr_config *config, char *text, size_t *length) {
    *length = 0;
    for (int i = 0; i < TGR_OPTION_ROWS; i++) {
        const tgr_option_row *row = &tgr_option_rows[i];
        char value[VALUE_BYTES];
        TGR_TRY(tgr_config_get(config, row->key, value, sizeof value));
        int set = tgr_config_is_set(config, (tgr_option)row->number);
        *length += (size_t)snprintf(text + *length, TGR_OPTIONS_TEXT_BYTES - *length, "%s%s=%s\n",
                                    set ? set_word : default_word, row->key, value);
        TGR_ASSERT(*length < TGR_OPTIONS_TEXT_BYTES);
    }
    return TGR_OK;
}

typedef struct option_line {
    int set;
    char text[LINE_BYTES]; /* the key, a NUL, the value */
    const char *key, *value;
} option_line;

/* Splits the line at *at, which advances to the next; false when it is malformed. */
static int split_line(const char **at, const char *end, option_line *line) {
    const char *start = *at;
    const char *newline = memchr(start, '\n', (size_t)(end - start));
    if (newline == NULL || memchr(start, '\0', (size_t)(newline - start)) != NULL) return 0;
    *at = newline + 1;
    const size_t length = (size_t)(newline - start);
    line->set = length > strlen(set_word) && memcmp(start, set_word, strlen(set_word)) == 0;
    const char *word = line->set ? set_word : default_word;
    const size_t skip = strlen(word);
    if (length <= skip || memcmp(start, word, skip) != 0 || length - skip >= sizeof line->text) return 0;
    memcpy(line->text, start + skip, length - skip);
    line->text[length - skip] = '\0';
    char *equals = strchr(line->text, '=');
    if (equals == NULL) return 0;
    *equals = '\0';
    line->key = line->text;
    line->value = equals + 1;
    return 1;
}

static tgr_status set_option(tgr_config *config, const option_line *line, const char *file) {
    if (tgr_config_set(config, line->key, line->value) == TGR_OK) return TGR_OK;
    return tgr_fail(TGR_ERROR_FILE_MISMATCH, "'%s' has an option that this library does not accept: %s", file,
                    tgr_last_reason());
}

static tgr_status take_set(tgr_config *config, const option_line *line, const char *file) {
    TGR_REQUIRE(tgr_option_find_key(line->key, strlen(line->key)) != NULL, TGR_ERROR_FILE_MISMATCH,
                "'%s' has the option '%s', which this library does not know", file, line->key);
    return line->set ? set_option(config, line, file) : TGR_OK;
}

/* Sets an option whose default has changed since the file was written, if the method uses it. Setting one option may
 * change the defaults of others (a preset), but not of those that are set; the caller repeats this until nothing
 * changes. */
static tgr_status keep_default(tgr_config *config, const option_line *line, const char *file, int *changed) {
    char value[VALUE_BYTES];
    const tgr_option_row *row = tgr_option_find_key(line->key, strlen(line->key));
    TGR_ASSERT(row != NULL); /* take_set has seen all lines */
    const tgr_option option = (tgr_option)row->number;
    TGR_TRY(tgr_config_get(config, line->key, value, sizeof value));
    int set = tgr_config_is_set(config, option);
    if (set || !tgr_option_is_used(config, option) || strcmp(value, line->value) == 0) return TGR_OK;
    *changed = 1;
    return set_option(config, line, file);
}

static tgr_status read_lines(tgr_config *config, const char *text, size_t length, const char *file, int keep,
                             int *changed) {
    const char *end = text + length;
    for (const char *at = text; at < end;) {
        option_line line;
        TGR_REQUIRE(split_line(&at, end, &line), TGR_ERROR_FILE_CORRUPT, "'%s' has an option without a key or a value",
                    file);
        TGR_TRY(keep ? keep_default(config, &line, file, changed) : take_set(config, &line, file));
    }
    return TGR_OK;
}

tgr_status tgr_options_read(tgr_config **out, tgr_context *context, const char *text, size_t length, const char *file) {
    tgr_config *config = NULL;
    TGR_TRY(tgr_config_create(&config, context));
    tgr_status status = TGR_OK;
    int changed = 1;
    TGR_TRY_DONE(read_lines(config, text, length, file, 0, &changed));
    for (int round = 0; changed; round++) {
        TGR_ASSERT(round <= TGR_OPTION_ROWS); /* each round sets at least one more option */
        changed = 0;
        TGR_TRY_DONE(read_lines(config, text, length, file, 1, &changed));
    }
    *out = config;
done:
    if (status != TGR_OK) tgr_config_free(config);
    return status;
}

tgr_status tgr_options_compare(const tgr_config *stored, const tgr_config *present, const char *file) {
    static const tgr_option shaping[] = {TGR_OPTION_IMAGE_SIZE, TGR_OPTION_CHANNELS,     TGR_OPTION_PATCH_SIZE,
                                         TGR_OPTION_CLASSES,    TGR_OPTION_EMBED_DIM,    TGR_OPTION_DEPTH,
                                         TGR_OPTION_HEADS,      TGR_OPTION_POSITION_CLS, TGR_OPTION_DISTILLATION_TOKEN};
    for (size_t i = 0; i < sizeof shaping / sizeof *shaping; i++) {
        char there[VALUE_BYTES], here[VALUE_BYTES];
        const char *key = tgr_option_find_row(shaping[i])->key;
        TGR_TRY(tgr_config_get(stored, key, there, sizeof there));
        TGR_TRY(tgr_config_get(present, key, here, sizeof here));
        TGR_REQUIRE(strcmp(there, here) == 0, TGR_ERROR_FILE_MISMATCH, "%s is %s in '%s' and %s in the model", key,
                    there, file, here);
    }
    return TGR_OK;
}

/* SPDX-License-Identifier: MIT */
/* Options to texts and back, through tgr_config_get and tgr_config_set, which are exact. */
#include "exchange/texts.h"

#include <stdio.h>
#include <string.h>

#include "base/assert.h"
#include "base/config.h"
#include "base/options.h"
#include "base/status.h"

#define VALUE_BYTES 1024 /* always enough for tgr_config_get */
#define KEY_BYTES   128

static void write_key(char text[KEY_BYTES], const char *key) {
    const int length = snprintf(text, KEY_BYTES, TGR_TEXT_PREFIX "%s", key);
    TGR_ASSERT(length < KEY_BYTES);
}

static const char *find_text(const tgr_safetensors *file, const char *key) {
    char text[KEY_BYTES];
    write_key(text, key);
    return tgr_safetensors_text(file, text);
}

int tgr_texts_are_present(const tgr_safetensors *file) {
    return find_text(file, tgr_option_key(TGR_OPTION_METHOD)) != NULL;
}

tgr_status tgr_texts_write(tgr_safetensors_writer *writer, const tgr_config *config) {
    for (int i = 0; i < TGR_OPTION_ROWS; i++) {
        char key[KEY_BYTES], value[VALUE_BYTES];
        if (!tgr_option_is_used(config, (tgr_option)tgr_option_rows[i].number)) continue;
        write_key(key, tgr_option_rows[i].key);
        TGR_TRY(tgr_config_get(config, tgr_option_rows[i].key, value, sizeof value));
        TGR_TRY(tgr_safetensors_writer_add_text(writer, key, value));
    }
    return TGR_OK;
}

static tgr_status check_keys(const tgr_safetensors *file) {
    const size_t prefix = strlen(TGR_TEXT_PREFIX);
    int64_t count = tgr_safetensors_text_count(file);
    for (int64_t i = 0; i < count; i++) {
        const char *key = NULL, *text = NULL;
        TGR_TRY(tgr_safetensors_text_at(file, i, &key, &text));
        if (strncmp(key, TGR_TEXT_PREFIX, prefix) != 0) continue;
        TGR_REQUIRE(tgr_option_find_key(key + prefix, strlen(key + prefix)) != NULL, TGR_ERROR_FILE_MISMATCH,
                    "the file has the option '%.100s', which this library does not know", key + prefix);
    }
    return TGR_OK;
}

static tgr_status read_option(tgr_config *config, const tgr_safetensors *file, const tgr_option_row *row) {
    char present[VALUE_BYTES];
    const char *value = find_text(file, row->key);
    if (value == NULL || !tgr_option_is_used(config, (tgr_option)row->number)) return TGR_OK;
    TGR_TRY(tgr_config_get(config, row->key, present, sizeof present));
    if (strcmp(value, present) == 0 || tgr_config_set(config, row->key, value) == TGR_OK) return TGR_OK;
    return tgr_fail(TGR_ERROR_FILE_MISMATCH, "the file has an option that this library does not accept: %s",
                    tgr_last_reason());
}

tgr_status tgr_texts_read(tgr_config *config, const tgr_safetensors *file) {
    TGR_TRY(check_keys(file));
    /* In the order of the table, where preset and method come before the options whose defaults they determine. */
    for (int i = 0; i < TGR_OPTION_ROWS; i++) TGR_TRY(read_option(config, file, &tgr_option_rows[i]));
    return TGR_OK;
}

tgr_status tgr_texts_check_heads(const tgr_config *config, const tgr_safetensors *file) {
    const char *key = tgr_option_key(TGR_OPTION_HEADS), *value = find_text(file, key);
    char present[VALUE_BYTES];
    TGR_TRY(tgr_config_get(config, key, present, sizeof present));
    if (value == NULL || strcmp(value, present) == 0) return TGR_OK;
    return tgr_fail(TGR_ERROR_FILE_MISMATCH, "%s is %.20s in the file and %s in the model", key, value, present);
}

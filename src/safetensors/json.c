/* SPDX-License-Identifier: MIT */
/* Strict JSON, token by token. */
#include "safetensors/json.h"

#include <string.h>

#include "base/assert.h"
#include "safetensors/utf8.h"

static int has(const tgr_json *json, char character) {
    TGR_ASSERT(json->at <= json->end);
    return json->at < json->end && *json->at == (unsigned char)character;
}

int tgr_json_take(tgr_json *json, char character) {
    while (has(json, ' ') || has(json, '\t') || has(json, '\n') || has(json, '\r')) json->at++;
    if (!has(json, character)) return 0;
    json->at++;
    return 1;
}

/* The four digits after \u. */
static int take_hexadecimal(tgr_json *json, uint32_t *out) {
    static const char digits[] = "0123456789abcdef0123456789ABCDEF";
    *out = 0;
    for (int i = 0; i < 4; i++, json->at++) {
        const char *digit = json->at < json->end && *json->at != '\0' ? strchr(digits, *json->at) : NULL;
        if (digit == NULL) return 0;
        *out = *out << 4 | (uint32_t)((digit - digits) % 16);
    }
    return 1;
}

/* What follows \u, with the second half of a pair of surrogates. */
static const char *take_code(tgr_json *json, uint32_t *code) {
    uint32_t low;
    if (!take_hexadecimal(json, code)) return "four hexadecimal digits are needed";
    if (*code == 0) return "a string contains NUL";
    if (*code < 0xD800 || *code > 0xDFFF) return NULL;
    const char *lone = "a surrogate stands alone";
    if (*code > 0xDBFF || json->end - json->at < 2 || memcmp(json->at, "\\u", 2) != 0) return lone;
    json->at += 2;
    if (!take_hexadecimal(json, &low) || low < 0xDC00 || low > 0xDFFF) return lone;
    *code = 0x10000 + ((*code - 0xD800) << 10) + (low - 0xDC00);
    return NULL;
}

static const char *take_escape(tgr_json *json, char **to) {
    static const char letters[] = "\"\\/bfnrt", meanings[] = "\"\\/\b\f\n\r\t";
    json->at++;
    const char *letter = json->at < json->end && *json->at != '\0' ? strchr(letters, *json->at) : NULL;
    if (letter != NULL) {
        json->at++;
        *(*to)++ = meanings[letter - letters];
        return NULL;
    }
    if (!has(json, 'u')) return "there is no such escape";
    json->at++;
    uint32_t code;
    const char *problem = take_code(json, &code);
    if (problem == NULL) *to += tgr_utf8_write(code, *to);
    return problem;
}

const char *tgr_json_string(tgr_json *json, const char **out) {
    if (!tgr_json_take(json, '"')) return "a string is needed";
    char *to = json->strings;
    while (!has(json, '"')) {
        if (json->at == json->end) return "a string has no end";
        if (has(json, '\\')) {
            const char *problem = take_escape(json, &to);
            if (problem != NULL) return problem;
            continue;
        }
        if (*json->at < 0x20) return "a control character is not escaped";
        size_t bytes = tgr_utf8_bytes(json->at, (size_t)(json->end - json->at));
        if (bytes == 0) return "this is not UTF-8";
        while (bytes-- > 0) *to++ = (char)*json->at++;
    }
    json->at++;
    *to++ = '\0';
    *out = json->strings;
    json->strings = to;
    return NULL;
}

const char *tgr_json_integer(tgr_json *json, int64_t *out) {
    if (tgr_json_take(json, '-')) return "a number is negative";
    if (json->at == json->end || *json->at < '0' || *json->at > '9') return "a number is needed";
    if (*json->at == '0' && json->at + 1 < json->end && json->at[1] >= '0' && json->at[1] <= '9')
        return "a number begins with 0";
    int64_t value = 0;
    for (; json->at < json->end && *json->at >= '0' && *json->at <= '9'; json->at++) {
        const int digit = *json->at - '0';
        if (value > (INT64_MAX - digit) / 10) return "a number is larger than 9223372036854775807";
        value = 10 * value + digit;
    }
    if (has(json, '.') || has(json, 'e') || has(json, 'E')) return "a whole number is needed";
    *out = value;
    return NULL;
}

/* SPDX-License-Identifier: MIT */
/* The tokens of JSON that a safetensors header consists of: punctuation, strings, whole numbers. No token contains
 * another, so nothing recurses, whatever is in the file. */
#ifndef TGR_SAFETENSORS_JSON_H
#define TGR_SAFETENSORS_JSON_H

#include <stddef.h>
#include <stdint.h>

typedef struct tgr_json {
    const unsigned char *start, *at, *end;
    char *strings; /* where the next string goes. Strings never get longer: as many bytes as the JSON has are enough */
} tgr_json;

/* Skips white space, then `character` if it comes next; returns whether it did. */
int tgr_json_take(tgr_json *json, char character);
/* The functions below return NULL, or what is wrong at json->at.
 *
 * A string, unescaped, ended by NUL, which it cannot contain. */
const char *tgr_json_string(tgr_json *json, const char **out);
/* A number that is not negative and has neither fraction nor exponent. */
const char *tgr_json_integer(tgr_json *json, int64_t *out);

#endif

/* SPDX-License-Identifier: MIT */
/* UTF-8, strictly: no overlong forms, no surrogates, nothing above U+10FFFF. */
#ifndef TGR_SAFETENSORS_UTF8_H
#define TGR_SAFETENSORS_UTF8_H

#include <stddef.h>
#include <stdint.h>

#define TGR_UTF8_BYTES 4 /* of the longest character */

/* Bytes of the character at `at`, where `left` (not 0) may be read; 0 when it is invalid. */
size_t tgr_utf8_bytes(const unsigned char *at, size_t left);
int tgr_utf8_valid(const char *text);
/* Writes `code`, which must not be a surrogate and is at most 0x10FFFF; returns its number of bytes. */
size_t tgr_utf8_write(uint32_t code, char to[TGR_UTF8_BYTES]);

/* A name from a file, safe to show in a message: truncated, and without control characters. */
#define TGR_SHOWN_BYTES 128
const char *tgr_utf8_show(const char *text, char shown[TGR_SHOWN_BYTES]);

#endif

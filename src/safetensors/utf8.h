/* SPDX-License-Identifier: MIT */
/* UTF-8, strictly: no overlong forms, no surrogates, nothing above U+10FFFF. */
#ifndef TGR_SAFETENSORS_UTF8_H
#define TGR_SAFETENSORS_UTF8_H

#include <stddef.h>
#include <stdint.h>

#define TGR_UTF8_BYTES 4 /* of the longest character */

/* Bytes of the character at `at`, of which `left` (not 0) may be looked at; 0 when there is no sound one. */
size_t tgr_utf8_bytes(const unsigned char *at, size_t left);
int tgr_utf8_valid(const char *text);
/* Writes `code`, which is no surrogate and at most 0x10FFFF; returns how many bytes it took. */
size_t tgr_utf8_write(uint32_t code, char to[TGR_UTF8_BYTES]);

/* A name from a file as a message may show it: cut to fit, without what a terminal would take for a command. */
#define TGR_SHOWN_BYTES 128
const char *tgr_utf8_show(const char *text, char shown[TGR_SHOWN_BYTES]);

#endif

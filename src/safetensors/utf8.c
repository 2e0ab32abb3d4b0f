/* SPDX-License-Identifier: MIT */
/* Checking and writing UTF-8. */
#include "safetensors/utf8.h"

#include <string.h>

#include "base/assert.h"

/* The smallest code that needs 2, 3, 4 bytes. */
static const uint32_t smallest[] = {0x80, 0x800, 0x10000};

static int allowed(uint32_t code) {
    return code <= 0x10FFFF && !(code >= 0xD800 && code <= 0xDFFF);
}

size_t tgr_utf8_bytes(const unsigned char *at, size_t left) {
    TGR_ASSERT(left > 0);
    const unsigned char first = at[0];
    if (first < 0x80) return 1;
    if (first < 0xC0 || first >= 0xF8) return 0;
    const size_t more = first < 0xE0 ? 1 : first < 0xF0 ? 2 : 3;
    if (left <= more) return 0;
    uint32_t code = first & (0x3Fu >> more);
    for (size_t i = 1; i <= more; i++) {
        if ((at[i] & 0xC0) != 0x80) return 0;
        code = code << 6 | (at[i] & 0x3F);
    }
    return code >= smallest[more - 1] && allowed(code) ? more + 1 : 0;
}

int tgr_utf8_valid(const char *text) {
    const unsigned char *at = (const unsigned char *)text;
    const unsigned char *end = at + strlen(text);
    while (at < end) {
        const size_t bytes = tgr_utf8_bytes(at, (size_t)(end - at));
        if (bytes == 0) return 0;
        at += bytes;
    }
    return 1;
}

size_t tgr_utf8_write(uint32_t code, char to[TGR_UTF8_BYTES]) {
    TGR_ASSERT(allowed(code));
    size_t more = 0;
    while (more < 3 && code >= smallest[more]) more++;
    if (more == 0) {
        to[0] = (char)code;
        return 1;
    }
    for (size_t i = more; i > 0; i--, code >>= 6) to[i] = (char)(0x80 | (code & 0x3F));
    to[0] = (char)(0xFF00u >> (more + 1) | code); /* C0, E0 or F0, and the code's first bits */
    return more + 1;
}

const char *tgr_utf8_show(const char *text, char shown[TGR_SHOWN_BYTES]) {
    const size_t length = strlen(text);
    size_t used = 0;
    for (const unsigned char *at = (const unsigned char *)text; *at != '\0';) {
        size_t bytes = tgr_utf8_bytes(at, length - (size_t)((const char *)at - text));
        const int control = bytes == 0 || *at < 0x20 || *at == 0x7F || (*at == 0xC2 && at[1] < 0xA0);
        if (bytes == 0) bytes = 1;
        if (used + bytes >= TGR_SHOWN_BYTES) break;
        if (control)
            shown[used++] = '?';
        else
            memcpy(shown + used, at, bytes);
        if (!control) used += bytes;
        at += bytes;
    }
    TGR_ASSERT(used < TGR_SHOWN_BYTES);
    shown[used] = '\0';
    return shown;
}

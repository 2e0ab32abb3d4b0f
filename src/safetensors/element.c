/* SPDX-License-Identifier: MIT */
/* Conversion of elements, one number at a time. */
#include "safetensors/element.h"

#include <string.h>

#include "base/bits.h"

#define TGR_ELEMENT_ROW(number, element, text, bytes) {TGR_ELEMENT_##element, text, bytes},
static const struct {
    tgr_element element;
    const char *name;
    size_t bytes;
} elements[] = {TGR_ELEMENT_MAP(TGR_ELEMENT_ROW)};
enum { ELEMENTS = sizeof elements / sizeof *elements };

const char *tgr_element_name(tgr_element element) {
    for (int i = 0; i < ELEMENTS; i++)
        if (elements[i].element == element) return elements[i].name;
    return NULL;
}

size_t tgr_element_bytes(tgr_element element) {
    for (int i = 0; i < ELEMENTS; i++)
        if (elements[i].element == element) return elements[i].bytes;
    return 0;
}

int tgr_element_parse(const char *name, tgr_element *out) {
    for (int i = 0; i < ELEMENTS; i++) {
        if (strcmp(name, elements[i].name) != 0) continue;
        *out = elements[i].element;
        return 1;
    }
    return 0;
}

float tgr_float_from_f16(uint16_t bits) {
    const uint32_t sign = (uint32_t)(bits & 0x8000) << 16, exponent = bits >> 10 & 31, fraction = bits & 1023;
    if (exponent == 31) return tgr_float_of_bits(sign | 0x7F800000u | fraction << 13); /* infinity or NaN */
    if (exponent != 0) return tgr_float_of_bits(sign | (exponent + 112) << 23 | fraction << 13);
    return tgr_float_of_bits(
        sign | tgr_bits_of_float((float)fraction * 0x1p-24f)); /* zero or denormal, which is normal as float32 */
}

float tgr_float_from_bf16(uint16_t bits) {
    return tgr_float_of_bits((uint32_t)bits << 16);
}

uint16_t tgr_bf16_from_float(float value) {
    const uint32_t bits = tgr_bits_of_float(value), upper = bits >> 16;
    if ((bits & 0x7FFFFFFFu) > 0x7F800000u) return (uint16_t)(upper | 0x40); /* otherwise it could become infinity */
    return (uint16_t)((bits + 0x7FFFu + (upper & 1)) >> 16);
}

static uint16_t load16(const unsigned char *at) {
    return (uint16_t)(at[0] | at[1] << 8);
}

static uint32_t load32(const unsigned char *at) {
    return (uint32_t)load16(at) | (uint32_t)load16(at + 2) << 16;
}

static uint64_t load64(const unsigned char *at) {
    return (uint64_t)load32(at) | (uint64_t)load32(at + 4) << 32;
}

static void store16(unsigned char *at, uint32_t bits) {
    at[0] = (unsigned char)bits;
    at[1] = (unsigned char)(bits >> 8);
}

int tgr_element_is_read(tgr_element element) {
    return element == TGR_ELEMENT_F32 || element == TGR_ELEMENT_F16 || element == TGR_ELEMENT_BF16 ||
           element == TGR_ELEMENT_F64;
}

int tgr_element_decode(tgr_element element, const void *from, int64_t count, float *to) {
    const unsigned char *at = from;
    if (element == TGR_ELEMENT_F32)
        for (int64_t i = 0; i < count; i++) to[i] = tgr_float_of_bits(load32(at + 4 * i));
    else if (element == TGR_ELEMENT_F16)
        for (int64_t i = 0; i < count; i++) to[i] = tgr_float_from_f16(load16(at + 2 * i));
    else if (element == TGR_ELEMENT_BF16)
        for (int64_t i = 0; i < count; i++) to[i] = tgr_float_from_bf16(load16(at + 2 * i));
    else if (element == TGR_ELEMENT_F64)
        for (int64_t i = 0; i < count; i++) to[i] = (float)tgr_double_of_bits(load64(at + 8 * i));
    else
        return 0;
    return 1;
}

int tgr_element_encode(tgr_element element, const float *from, int64_t count, void *to) {
    unsigned char *at = to;
    if (element == TGR_ELEMENT_F32)
        for (int64_t i = 0; i < count; i++) {
            store16(at + 4 * i, tgr_bits_of_float(from[i]));
            store16(at + 4 * i + 2, tgr_bits_of_float(from[i]) >> 16);
        }
    else if (element == TGR_ELEMENT_BF16)
        for (int64_t i = 0; i < count; i++) store16(at + 2 * i, tgr_bf16_from_float(from[i]));
    else
        return 0;
    return 1;
}

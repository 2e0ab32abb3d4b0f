/* SPDX-License-Identifier: MIT */
/* Floating-point numbers as integers with the same bits, and back. */
#ifndef TGR_BASE_BITS_H
#define TGR_BASE_BITS_H

#include <stdint.h>
#include <string.h>

static inline uint64_t tgr_bits_of_double(double value) {
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

static inline double tgr_double_of_bits(uint64_t bits) {
    double value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

static inline uint32_t tgr_bits_of_float(float value) {
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

static inline float tgr_float_of_bits(uint32_t bits) {
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

#endif

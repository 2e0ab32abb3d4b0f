/* SPDX-License-Identifier: MIT */
/* Floats as unsigned numbers, for finding the largest byte by byte. */
#ifndef TGR_ROUTING_SLOTS_FALLING_KEY_H
#define TGR_ROUTING_SLOTS_FALLING_KEY_H

#include <math.h>
#include <stdint.h>
#include <string.h>

/* Unsigned numbers in the reverse order of the floats; NaN last. */
static inline uint32_t tgr_falling_key(float value) {
    if (isnan(value)) return UINT32_MAX;
    float positive_zero = value + 0.0f; /* -0 ties with 0 */
    uint32_t bits;
    memcpy(&bits, &positive_zero, sizeof bits);
    return bits >> 31 ? bits : ~(bits | UINT32_C(1) << 31);
}

#endif

/* SPDX-License-Identifier: MIT */
/* Conversion of elements: every 16-bit pattern, and rounding on both sides of every tie, against arithmetic on doubles
 * that follows the formats' definitions. */
#include <math.h>
#include <string.h>

#include "safetensors/element.h"
#include "support.h"

static uint32_t bits_of(float value) {
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

static float float_of(uint32_t bits) {
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

/* The number that a pattern of 16 bits stands for, with `fraction_bits` of them for the fraction. An infinity is given
 * as the power of two that would come next. */
static double number_of(unsigned pattern, int fraction_bits) {
    const int exponent_bits = 15 - fraction_bits, bias = (1 << (exponent_bits - 1)) - 1;
    const int exponent = (int)(pattern >> fraction_bits) & ((1 << exponent_bits) - 1);
    const double fraction = pattern & ((1u << fraction_bits) - 1), sign = pattern >> 15 ? -1 : 1;
    if (exponent == 0) return sign * ldexp(fraction, 1 - bias - fraction_bits);
    return sign * ldexp(fraction + (1 << fraction_bits), exponent - bias - fraction_bits);
}

static int same_number(float actual, unsigned pattern, int fraction_bits) {
    const unsigned infinity = ((1u << (15 - fraction_bits)) - 1) << fraction_bits, magnitude = pattern & 0x7FFF;
    if ((signbit(actual) != 0) != (pattern >> 15 != 0)) return 0;
    if (magnitude > infinity) return isnan(actual);
    if (magnitude == infinity) return isinf(actual);
    return (double)actual == number_of(pattern, fraction_bits);
}

static void test_every_f16(void **state) {
    (void)state;
    for (unsigned pattern = 0; pattern < 65536; pattern++)
        if (!same_number(tgr_float_from_f16((uint16_t)pattern), pattern, 10))
            fail_msg("f16 %04x became %a", pattern, (double)tgr_float_from_f16((uint16_t)pattern));
}

static void test_every_bf16(void **state) {
    (void)state;
    for (unsigned pattern = 0; pattern < 65536; pattern++) {
        const float value = tgr_float_from_bf16((uint16_t)pattern);
        if (!same_number(value, pattern, 7)) fail_msg("bf16 %04x became %a", pattern, (double)value);
        const uint16_t back = tgr_bf16_from_float(value);
        if (isnan(value) ? (back | 0x40) != (pattern | 0x40) : back != pattern)
            fail_msg("bf16 %04x came back as %04x", pattern, back);
    }
}

/* The pattern nearest to a finite number, which lies between those of `lower` and `lower` + 1. */
static unsigned nearest(double value, unsigned lower) {
    const double below = fabs(value - number_of(lower, 7)), above = fabs(number_of(lower + 1, 7) - value);
    if (below == above) return lower % 2 == 0 ? lower : lower + 1;
    return below < above ? lower : lower + 1;
}

static void test_rounding_beside_every_tie(void **state) {
    (void)state;
    static const unsigned rests[] = {0, 1, 0x7FFF, 0x8000, 0x8001, 0xFFFF};
    for (unsigned upper = 0; upper < 65536; upper++) {
        for (size_t i = 0; i < sizeof rests / sizeof *rests; i++) {
            const float value = float_of(upper << 16 | rests[i]);
            const unsigned rounded = tgr_bf16_from_float(value);
            const int right = isnan(value) ? (rounded & 0x7FFF) > 0x7F80 && rounded >> 15 == upper >> 15
                                           : rounded == (isinf(value) ? upper : nearest((double)value, upper));
            if (!right) fail_msg("float %08x was rounded to %04x", bits_of(value), rounded);
        }
    }
}

/* Rows of numbers at odd addresses, as little-endian bytes. */
static void test_arrays(void **state) {
    (void)state;
    static const float numbers[] = {1, -2.5f, 0x1p-149f};
    static const unsigned char f32[] = {9, 0, 0, 0x80, 0x3F, 0, 0, 0x20, 0xC0, 1, 0, 0, 0, 9};
    static const unsigned char bf16[] = {9, 0x80, 0x3F, 0x20, 0xC0, 0, 0, 9}, f16[] = {9, 0, 0x3C, 0, 0xC1, 1, 0, 9};
    static const unsigned char f64[] = {9, 0, 0, 0,    0, 0, 0, 0xF0, 0x3F, 0, 0,    0,    0,
                                        0, 0, 4, 0xC0, 0, 0, 0, 0,    0,    0, 0xA0, 0x36, 9};
    unsigned char written[14];
    float read[3];
    memset(written, 9, sizeof written);
    assert_true(tgr_element_encode(TGR_ELEMENT_F32, numbers, 3, written + 1));
    assert_same_bytes(written, f32, sizeof f32);
    memset(written, 9, sizeof written);
    assert_true(tgr_element_encode(TGR_ELEMENT_BF16, numbers, 3, written + 1));
    assert_same_bytes(written, bf16, sizeof bf16);
    assert_true(tgr_element_decode(TGR_ELEMENT_F32, f32 + 1, 3, read));
    assert_same_bytes(read, numbers, sizeof numbers);
    assert_true(tgr_element_decode(TGR_ELEMENT_BF16, bf16 + 1, 3, read));
    assert_true(read[0] == 1 && read[1] == -2.5f && read[2] == 0);
    assert_true(tgr_element_decode(TGR_ELEMENT_F16, f16 + 1, 3, read));
    assert_true(read[0] == 1 && read[1] == -2.5f && read[2] == 0x1p-24f);
    assert_true(tgr_element_decode(TGR_ELEMENT_F64, f64 + 1, 3, read));
    assert_same_bytes(read, numbers, sizeof numbers);
    assert_false(tgr_element_decode(TGR_ELEMENT_I64, f64, 1, read));
    assert_false(tgr_element_encode(TGR_ELEMENT_F16, numbers, 1, written));
}

/* To the nearest float32, ties to even; denormals, infinities and NaN are what they were. */
static void test_f64(void **state) {
    (void)state;
    static const struct {
        double from;
        float to;
    } cases[] = {{1 + 0x1p-24, 1},
                 {1 + 0x1.8p-23, 1 + 0x1p-22f},
                 {1 + 0x1.000001p-24, 1 + 0x1p-23f},
                 {-0x1p-150, -0.0f},
                 {0x1.8p-149, 0x1p-148f},
                 {0x1.fffffefp127, 0x1.fffffep127f},
                 {0x1.ffffffp127, (float)INFINITY},
                 {-1e300, -(float)INFINITY},
                 {-INFINITY, -(float)INFINITY}};
    float read = 0;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_true(tgr_element_decode(TGR_ELEMENT_F64, &cases[i].from, 1, &read));
        assert_int_equal(bits_of(read), bits_of(cases[i].to));
    }
    const double nan = NAN;
    assert_true(tgr_element_decode(TGR_ELEMENT_F64, &nan, 1, &read));
    assert_true(isnan(read));
}

static void test_names(void **state) {
    (void)state;
    int types = 0;
#define CHECK_NAME(number, name, text, size)                  \
    do {                                                      \
        tgr_element element = (tgr_element)0;                 \
        assert_true(tgr_element_parse(text, &element));       \
        assert_int_equal(element, number);                    \
        assert_string_equal(tgr_element_name(element), text); \
        assert_int_equal(tgr_element_bytes(element), size);   \
        types++;                                              \
    } while (0);
    TGR_ELEMENT_MAP(CHECK_NAME)
    tgr_element element;
    assert_true(types == 13);
    assert_false(tgr_element_parse("F33", &element));
    assert_false(tgr_element_parse("", &element));
    assert_null(tgr_element_name((tgr_element)99));
    assert_int_equal(tgr_element_bytes((tgr_element)99), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_f16),
        cmocka_unit_test(test_every_bf16),
        cmocka_unit_test(test_rounding_beside_every_tie),
        cmocka_unit_test(test_arrays),
        cmocka_unit_test(test_f64),
        cmocka_unit_test(test_names),
    };
    return cmocka_run_group_tests_name("safetensors element", tests, NULL, NULL);
}

/* SPDX-License-Identifier: MIT */
/* Element types by name, and their numbers as float32. In files everything is little-endian and may be unaligned. */
#ifndef TGR_SAFETENSORS_ELEMENT_H
#define TGR_SAFETENSORS_ELEMENT_H

#include "tgrmoe/safetensors.h"

/* "F32"; NULL for a number that is not a type. */
const char *tgr_element_name(tgr_element element);
/* Bytes of one element. */
size_t tgr_element_bytes(tgr_element element);
/* The type called `name`, or false. */
int tgr_element_parse(const char *name, tgr_element *out);

/* Exact; NaN stays NaN with its bits. */
float tgr_float_from_f16(uint16_t bits);
float tgr_float_from_bf16(uint16_t bits);
/* To the nearest, ties to even; NaN stays NaN. */
uint16_t tgr_bf16_from_float(float value);

/* Whether the type can be read as float32: F32, F16, BF16, F64. */
int tgr_element_is_read(tgr_element element);
/* `count` numbers from a file as float32, F64 rounded to the nearest; false for a type that cannot be read. */
int tgr_element_decode(tgr_element element, const void *from, int64_t count, float *to);
/* `count` numbers to a file; false for a type other than F32 and BF16. */
int tgr_element_encode(tgr_element element, const float *from, int64_t count, void *to);

#endif

/* SPDX-License-Identifier: MIT */
/* The header of a safetensors file, written as the format's reference library writes it. */
#ifndef TGR_SAFETENSORS_HEADER_TEXT_H
#define TGR_SAFETENSORS_HEADER_TEXT_H

#include "safetensors/header.h"

/* Writes length and JSON to `to`, or nowhere if it is NULL; *bytes is their size, a multiple of 8. The tensors follow
 * each other in the order given, whatever their `begin` and `end`. */
tgr_status tgr_header_write(const tgr_tensor_record *const *tensors, size_t tensor_count, const tgr_text_record *texts,
                            size_t text_count, unsigned char *to, size_t *bytes);

#endif

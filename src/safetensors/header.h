/* SPDX-License-Identifier: MIT */
/* The header of a safetensors file (docs/safetensors.md), read without trusting anything in it. */
#ifndef TGR_SAFETENSORS_HEADER_H
#define TGR_SAFETENSORS_HEADER_H

#include "safetensors/list.h"
#include "tgrmoe/safetensors.h"

#define TGR_HEADER_LENGTH_BYTES 8         /* before the header: its length */
#define TGR_HEADER_LIMIT        100000000 /* bytes; the format's own limit */
#define TGR_HEADER_TEXTS        "__metadata__"

typedef struct tgr_tensor_record {
    const char *name; /* first: tgr_name_index */
    tgr_element element;
    int32_t ndim;
    int64_t dims[TGR_SAFETENSORS_DIMS];
    int64_t count;
    int64_t begin, end; /* in bytes, from the start of the data */
} tgr_tensor_record;

typedef struct tgr_text_record {
    const char *key; /* first: tgr_name_index */
    const char *text;
} tgr_text_record;

typedef struct tgr_header {
    tgr_context *context;
    tgr_list tensors; /* of tgr_tensor_record, in the header's order */
    tgr_list texts;   /* of tgr_text_record */
    char *strings;    /* [string_bytes], what the records point into */
    size_t string_bytes;
} tgr_header;

/* *numbers = the product of dims, which are not negative; false when it or the bytes do not fit, even if one dimension
 * is 0 and others are too large. */
int tgr_tensor_count(tgr_element element, int ndim, const int64_t *dims, int64_t *numbers);

/* Reads the JSON and checks each tensor by itself; the caller checks their layout. `source` is for messages. After a
 * failure: tgr_header_free. */
tgr_status tgr_header_read(tgr_header *header, tgr_context *context, const char *source, const unsigned char *json,
                           size_t size);
void tgr_header_free(tgr_header *header);

#endif

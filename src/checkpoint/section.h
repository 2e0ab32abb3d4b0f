/* SPDX-License-Identifier: MIT */
/* The file format (docs/checkpoint.md): the header of the file and the header of each section. */
#ifndef TGR_CHECKPOINT_SECTION_H
#define TGR_CHECKPOINT_SECTION_H

#include <stddef.h>
#include <stdint.h>

#include "tgrmoe/common.h"

#define TGR_FILE_MAGIC_BYTES  12
#define TGR_FILE_HEADER_BYTES 16 /* magic, then the version */
#define TGR_FILE_VERSION      1u

#define TGR_SECTION_HEADER_BYTES 192
#define TGR_SECTION_NAME_BYTES   128
#define TGR_SECTION_MAX_DIMS     4

/* Compressed payloads consist of blocks of this many raw bytes (the last may be shorter), each split into planes. */
#define TGR_SECTION_BLOCK_BYTES 65536

/* Deflate needs at least 2 bits for 258 bytes. */
#define TGR_DEFLATE_MAX_RATIO 1032u

typedef enum tgr_section_type {
    TGR_SECTION_END = 0, /* the last one: dims are the number of sections before it and the bytes of the whole file */
    TGR_SECTION_F32 = 1,
    TGR_SECTION_U8 = 2,
    TGR_SECTION_U64 = 3
} tgr_section_type;

typedef enum tgr_section_encoding { TGR_STORED = 0, TGR_DEFLATED_PLANES = 1 } tgr_section_encoding;

typedef struct tgr_section_header {
    char name[TGR_SECTION_NAME_BYTES];
    int type, encoding, ndim;
    uint64_t dims[TGR_SECTION_MAX_DIMS]; /* 0 past ndim */
    uint64_t raw_bytes, stored_bytes;
    uint32_t crc; /* of the stored bytes; for the end section, of all headers before it */
} tgr_section_header;

/* "f32", "u8", "u64"; NULL for a number that is not the type of a tensor. */
const char *tgr_section_type_name(int type);
/* Bytes of one element. */
size_t tgr_section_element(int type);
/* 1 to 127 of a-z, A-Z, 0-9 and "_-./". */
int tgr_section_name_valid(const char *name);
/* *bytes = product of dims × element; false when a dimension is 0 or the product does not fit. */
int tgr_section_size(int type, int ndim, const uint64_t *dims, uint64_t *bytes);
/* "f32 [384, 96]" for messages. */
#define TGR_SHAPE_TEXT 112
const char *tgr_section_shape(int type, int ndim, const uint64_t *dims, char text[TGR_SHAPE_TEXT]);

void tgr_file_header_encode(unsigned char bytes[TGR_FILE_HEADER_BYTES]);
void tgr_section_encode(const tgr_section_header *header, unsigned char bytes[TGR_SECTION_HEADER_BYTES]);
/* NULL, or what is wrong: the checksum, or a field by itself. The reader compares sizes with the file's. */
const char *tgr_section_decode(tgr_section_header *header, const unsigned char bytes[TGR_SECTION_HEADER_BYTES]);

/* Splits `bytes` of elements into planes: first byte of every element, second byte of every element, …; and back. */
void tgr_planes_split(unsigned char *planes, const unsigned char *raw, size_t bytes, size_t element);
void tgr_planes_join(unsigned char *raw, const unsigned char *planes, size_t bytes, size_t element);

#endif

/* SPDX-License-Identifier: MIT */
/* File header and section headers as bytes, and the checks that can be made on one header alone. */
#include "checkpoint/section.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <zlib.h>

#include "base/assert.h"

/* Payloads have the same layout in the file as in memory. */
_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "the file is little-endian: swap payloads on this machine");

/* In the spirit of PNG's: the first byte loses its top bit in a 7-bit transfer, the line ends and the end-of-file
 * character change in a text transfer, and the final NUL shows that it is not text. */
static const unsigned char file_magic[TGR_FILE_MAGIC_BYTES] = {0x89, 'T',  'G',  'R',  'M', 'O',
                                                               'E',  '\r', '\n', 0x1A, '\n'};

enum { /* offsets of the fields in a section's header */
       AT_MARK = 0,
       AT_TYPE = 4,
       AT_NDIM = 5,
       AT_ENCODING = 6,
       AT_ZERO = 7,
       AT_DIMS = 8,
       AT_RAW_BYTES = 40,
       AT_STORED_BYTES = 48,
       AT_CRC = 56,
       AT_NAME = 60,
       AT_HEADER_CRC = AT_NAME + TGR_SECTION_NAME_BYTES
};
_Static_assert(AT_HEADER_CRC + 4 == TGR_SECTION_HEADER_BYTES, "the header's checksum ends it");

static const unsigned char mark[4] = {'S', 'E', 'C', 'T'};

static const struct {
    const char *name;
    size_t element;
} types[] = {{NULL, 1}, {"f32", 4}, {"u8", 1}, {"u64", 8}};
enum { TYPES = sizeof types / sizeof *types };

static void put(unsigned char *bytes, uint64_t value, int count) {
    for (int i = 0; i < count; i++) bytes[i] = (unsigned char)(value >> 8 * i);
}

static uint64_t get(const unsigned char *bytes, int count) {
    uint64_t value = 0;
    for (int i = 0; i < count; i++) value |= (uint64_t)bytes[i] << 8 * i;
    return value;
}

const char *tgr_section_type_name(int type) {
    return type > TGR_SECTION_END && type < TYPES ? types[type].name : NULL;
}

size_t tgr_section_element(int type) {
    TGR_ASSERT(type >= 0 && type < TYPES);
    return types[type].element;
}

int tgr_section_name_valid(const char *name) {
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-./";
    const size_t length = strlen(name);
    return length >= 1 && length < TGR_SECTION_NAME_BYTES && strspn(name, allowed) == length;
}

int tgr_section_size(int type, int ndim, const uint64_t *dims, uint64_t *bytes) {
    TGR_ASSERT(ndim >= 0 && ndim <= TGR_SECTION_MAX_DIMS);
    uint64_t product = tgr_section_element(type);
    for (int i = 0; i < ndim; i++)
        if (dims[i] == 0 || __builtin_mul_overflow(product, dims[i], &product)) return 0;
    *bytes = product;
    return product <= INT64_MAX;
}

const char *tgr_section_shape(int type, int ndim, const uint64_t *dims, char text[TGR_SHAPE_TEXT]) {
    TGR_ASSERT(tgr_section_type_name(type) != NULL);
    int used = snprintf(text, TGR_SHAPE_TEXT, "%s [", tgr_section_type_name(type));
    for (int i = 0; i < ndim; i++)
        used += snprintf(text + used, TGR_SHAPE_TEXT - (size_t)used, i ? ", %" PRIu64 : "%" PRIu64, dims[i]);
    TGR_ASSERT(used + 1 < TGR_SHAPE_TEXT);
    snprintf(text + used, TGR_SHAPE_TEXT - (size_t)used, "]");
    return text;
}

void tgr_file_header_encode(unsigned char bytes[TGR_FILE_HEADER_BYTES]) {
    memcpy(bytes, file_magic, TGR_FILE_MAGIC_BYTES);
    put(bytes + TGR_FILE_MAGIC_BYTES, TGR_FILE_VERSION, 4);
}

void tgr_section_encode(const tgr_section_header *header, unsigned char bytes[TGR_SECTION_HEADER_BYTES]) {
    memset(bytes, 0, TGR_SECTION_HEADER_BYTES);
    memcpy(bytes + AT_MARK, mark, sizeof mark);
    put(bytes + AT_TYPE, (uint64_t)header->type, 1);
    put(bytes + AT_NDIM, (uint64_t)header->ndim, 1);
    put(bytes + AT_ENCODING, (uint64_t)header->encoding, 1);
    for (int i = 0; i < TGR_SECTION_MAX_DIMS; i++) put(bytes + AT_DIMS + 8 * i, header->dims[i], 8);
    put(bytes + AT_RAW_BYTES, header->raw_bytes, 8);
    put(bytes + AT_STORED_BYTES, header->stored_bytes, 8);
    put(bytes + AT_CRC, header->crc, 4);
    memcpy(bytes + AT_NAME, header->name, TGR_SECTION_NAME_BYTES);
    put(bytes + AT_HEADER_CRC, crc32_z(0, bytes, AT_HEADER_CRC), 4);
}

static int all_zero(const char *bytes, size_t count) {
    for (size_t i = 0; i < count; i++)
        if (bytes[i] != 0) return 0;
    return 1;
}

static const char *check_name(const tgr_section_header *header) {
    const char *end = memchr(header->name, '\0', TGR_SECTION_NAME_BYTES);
    if (end == NULL || !all_zero(end, (size_t)(header->name + TGR_SECTION_NAME_BYTES - end)))
        return "its name is not terminated";
    if (header->type == TGR_SECTION_END) return header->name[0] == '\0' ? NULL : "the end section has a name";
    return tgr_section_name_valid(header->name) ? NULL : "its name is empty or has invalid characters";
}

static const char *check_sizes(const tgr_section_header *header) {
    for (int i = header->ndim; i < TGR_SECTION_MAX_DIMS; i++)
        if (header->dims[i] != 0) return "it has more dimensions than it says";
    if (header->type == TGR_SECTION_END)
        return header->ndim == 2 && header->encoding == TGR_STORED && header->raw_bytes == 0 &&
                       header->stored_bytes == 0
                   ? NULL
                   : "the end section is not empty";
    uint64_t bytes;
    if (!tgr_section_size(header->type, header->ndim, header->dims, &bytes))
        return "a dimension is zero or their product does not fit";
    if (bytes != header->raw_bytes) return "its size does not match its shape";
    if (header->encoding == TGR_STORED && header->stored_bytes != bytes)
        return "it is not compressed but has a different size in the file";
    if (header->stored_bytes == 0 || bytes / TGR_DEFLATE_MAX_RATIO > header->stored_bytes)
        return "it claims more bytes than its payload can unpack to";
    return NULL;
}

const char *tgr_section_decode(tgr_section_header *header, const unsigned char bytes[TGR_SECTION_HEADER_BYTES]) {
    if (get(bytes + AT_HEADER_CRC, 4) != crc32_z(0, bytes, AT_HEADER_CRC)) return "its header's checksum is wrong";
    if (memcmp(bytes + AT_MARK, mark, sizeof mark) != 0) return "its header does not begin with SECT";
    header->type = bytes[AT_TYPE];
    header->ndim = bytes[AT_NDIM];
    header->encoding = bytes[AT_ENCODING];
    for (int i = 0; i < TGR_SECTION_MAX_DIMS; i++) header->dims[i] = get(bytes + AT_DIMS + 8 * i, 8);
    header->raw_bytes = get(bytes + AT_RAW_BYTES, 8);
    header->stored_bytes = get(bytes + AT_STORED_BYTES, 8);
    header->crc = (uint32_t)get(bytes + AT_CRC, 4);
    memcpy(header->name, bytes + AT_NAME, TGR_SECTION_NAME_BYTES);

    if (header->type >= TYPES) return "its type is unknown";
    if (header->encoding > TGR_DEFLATED_PLANES) return "its encoding is unknown";
    if (header->ndim > TGR_SECTION_MAX_DIMS) return "it has more than 4 dimensions";
    if (bytes[AT_ZERO] != 0) return "a byte that must be zero is not";
    const char *problem = check_name(header);
    return problem != NULL ? problem : check_sizes(header);
}

void tgr_planes_split(unsigned char *planes, const unsigned char *raw, size_t bytes, size_t element) {
    const size_t count = bytes / element;
    TGR_ASSERT(bytes % element == 0);
    for (size_t plane = 0; plane < element; plane++)
        for (size_t i = 0; i < count; i++) planes[plane * count + i] = raw[i * element + plane];
}

void tgr_planes_join(unsigned char *raw, const unsigned char *planes, size_t bytes, size_t element) {
    const size_t count = bytes / element;
    TGR_ASSERT(bytes % element == 0);
    for (size_t plane = 0; plane < element; plane++)
        for (size_t i = 0; i < count; i++) raw[i * element + plane] = planes[plane * count + i];
}

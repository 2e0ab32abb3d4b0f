/* SPDX-License-Identifier: MIT */
/* JSON without white space, then spaces up to a multiple of 8 bytes. The same code first counts, then writes. */
#include "safetensors/header_text.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/assert.h"
#include "base/memory.h"
#include "base/status.h"
#include "safetensors/element.h"

typedef struct text_writer {
    unsigned char *to; /* NULL while counting */
    size_t used;
} text_writer;

static void put_bytes(text_writer *writer, const char *bytes, size_t count) {
    if (writer->to != NULL) memcpy(writer->to + writer->used, bytes, count);
    writer->used += count;
}

static void put(text_writer *writer, const char *text) {
    put_bytes(writer, text, strlen(text));
}

static void put_integer(text_writer *writer, int64_t value) {
    char text[24];
    snprintf(text, sizeof text, "%" PRId64, value);
    put(writer, text);
}

/* A string in quotes; only what must be escaped is. */
static void put_string(text_writer *writer, const char *text) {
    static const char meanings[] = "\"\\\b\f\n\r\t", letters[] = "\"\\bfnrt";
    put(writer, "\"");
    for (; *text != '\0'; text++) {
        const char *short_form = strchr(meanings, *text);
        char escape[8] = {'\\'};
        if (short_form != NULL)
            escape[1] = letters[short_form - meanings];
        else if ((unsigned char)*text < 0x20)
            snprintf(escape, sizeof escape, "\\u%04x", (unsigned)*text);
        else
            escape[0] = *text;
        put(writer, escape);
    }
    put(writer, "\"");
}

static void put_texts(text_writer *writer, const tgr_text_record *texts, size_t count) {
    put(writer, "\"" TGR_HEADER_TEXTS "\":{");
    for (size_t i = 0; i < count; i++) {
        if (i > 0) put(writer, ",");
        put_string(writer, texts[i].key);
        put(writer, ":");
        put_string(writer, texts[i].text);
    }
    put(writer, "}");
}

static void put_tensor(text_writer *writer, const tgr_tensor_record *tensor, int64_t begin, int64_t end) {
    TGR_ASSERT(tgr_element_name(tensor->element) != NULL);
    put_string(writer, tensor->name);
    put(writer, ":{\"dtype\":\"");
    put(writer, tgr_element_name(tensor->element));
    put(writer, "\",\"shape\":[");
    for (int i = 0; i < tensor->ndim; i++) {
        if (i > 0) put(writer, ",");
        put_integer(writer, tensor->dims[i]);
    }
    put(writer, "],\"data_offsets\":[");
    put_integer(writer, begin);
    put(writer, ",");
    put_integer(writer, end);
    put(writer, "]}");
}

tgr_status tgr_header_write(const tgr_tensor_record *const *tensors, size_t tensor_count, const tgr_text_record *texts,
                            size_t text_count, unsigned char *to, size_t *bytes) {
    text_writer writer = {.to = to, .used = TGR_HEADER_LENGTH_BYTES};
    int64_t position = 0;
    put(&writer, "{");
    if (text_count > 0) put_texts(&writer, texts, text_count);
    for (size_t i = 0; i < tensor_count; i++) {
        const int64_t begin = position, size = tensors[i]->count * (int64_t)tgr_element_bytes(tensors[i]->element);
        TGR_REQUIRE(tgr_add(begin, size, &position), TGR_ERROR_OVERFLOW,
                    "the tensors' bytes together do not fit the machine's integers");
        if (i > 0 || text_count > 0) put(&writer, ",");
        put_tensor(&writer, tensors[i], begin, position);
    }
    put(&writer, "}");
    while (writer.used % 8 != 0) put(&writer, " ");
    const size_t length = writer.used - TGR_HEADER_LENGTH_BYTES;
    TGR_REQUIRE(length <= TGR_HEADER_LIMIT, TGR_ERROR_RANGE,
                "names and texts make a header of %zu bytes; the format allows %d", length, TGR_HEADER_LIMIT);
    if (to != NULL)
        for (int i = 0; i < TGR_HEADER_LENGTH_BYTES; i++) to[i] = (unsigned char)((uint64_t)length >> 8 * i);
    *bytes = writer.used;
    return TGR_OK;
}

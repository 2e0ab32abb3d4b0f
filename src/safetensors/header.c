/* SPDX-License-Identifier: MIT */
/* An object of objects with three known fields each, and one object of texts: all that the format allows. */
#include "safetensors/header.h"

#include <inttypes.h>
#include <string.h>

#include "base/assert.h"
#include "base/memory.h"
#include "base/status.h"
#include "safetensors/element.h"
#include "safetensors/json.h"
#include "safetensors/utf8.h"

typedef struct header_reader {
    tgr_header *header;
    tgr_json json;
    const char *source;
    const char *name; /* of the tensor being read; NULL outside */
    int has_texts;
} header_reader;

/* Fails with "'file': tensor 'name', byte 12: what". */
static tgr_status fail_at(const header_reader *reader, tgr_status status, const char *what, const char *detail) {
    char name[TGR_SHOWN_BYTES] = "", shown[TGR_SHOWN_BYTES];
    if (reader->name != NULL) tgr_utf8_show(reader->name, name);
    return tgr_fail(status, "'%.200s': %s%s%sbyte %zu of the header: %s%s", reader->source,
                    reader->name != NULL ? "tensor '" : "", name, reader->name != NULL ? "', " : "",
                    (size_t)(reader->json.at - reader->json.start), what, tgr_utf8_show(detail, shown));
}

static tgr_status corrupt(const header_reader *reader, const char *what) {
    return fail_at(reader, TGR_ERROR_FILE_CORRUPT, what, "");
}

/* Fails if there is a problem. */
static tgr_status check(const header_reader *reader, const char *problem) {
    return problem == NULL ? TGR_OK : corrupt(reader, problem);
}

static tgr_status expect(header_reader *reader, char character) {
    char what[] = "'?' is needed";
    what[1] = character;
    return tgr_json_take(&reader->json, character) ? TGR_OK : corrupt(reader, what);
}

static tgr_status read_key(header_reader *reader, const char **key) {
    TGR_TRY(check(reader, tgr_json_string(&reader->json, key)));
    return expect(reader, ':');
}

static tgr_status read_element(header_reader *reader, tgr_tensor_record *tensor) {
    const char *name;
    TGR_TRY(check(reader, tgr_json_string(&reader->json, &name)));
    if (!tgr_element_parse(name, &tensor->element))
        return fail_at(reader, TGR_ERROR_UNSUPPORTED, "this library does not know the dtype ", name);
    return TGR_OK;
}

static tgr_status read_shape(header_reader *reader, tgr_tensor_record *tensor) {
    TGR_TRY(expect(reader, '['));
    if (tgr_json_take(&reader->json, ']')) return TGR_OK;
    do {
        if (tensor->ndim == TGR_SAFETENSORS_DIMS)
            return fail_at(reader, TGR_ERROR_UNSUPPORTED, "the tensor has more than 8 dimensions", "");
        TGR_TRY(check(reader, tgr_json_integer(&reader->json, &tensor->dims[tensor->ndim])));
        tensor->ndim++;
    } while (tgr_json_take(&reader->json, ','));
    return expect(reader, ']');
}

static tgr_status read_offsets(header_reader *reader, tgr_tensor_record *tensor) {
    TGR_TRY(expect(reader, '['));
    TGR_TRY(check(reader, tgr_json_integer(&reader->json, &tensor->begin)));
    TGR_TRY(expect(reader, ','));
    TGR_TRY(check(reader, tgr_json_integer(&reader->json, &tensor->end)));
    return expect(reader, ']');
}

static const struct {
    const char *name;
    tgr_status (*read)(header_reader *reader, tgr_tensor_record *tensor);
} fields[] = {{"dtype", read_element}, {"shape", read_shape}, {"data_offsets", read_offsets}};
enum { FIELDS = sizeof fields / sizeof *fields };

static tgr_status read_field(header_reader *reader, tgr_tensor_record *tensor, int seen[FIELDS]) {
    const char *key;
    TGR_TRY(read_key(reader, &key));
    for (int i = 0; i < FIELDS; i++) {
        if (strcmp(key, fields[i].name) != 0) continue;
        if (seen[i]++) return fail_at(reader, TGR_ERROR_FILE_CORRUPT, "there is a second ", key);
        return fields[i].read(reader, tensor);
    }
    return fail_at(reader, TGR_ERROR_FILE_CORRUPT, "the format has no field ", key);
}

int tgr_tensor_count(tgr_element element, int ndim, const int64_t *dims, int64_t *numbers) {
    int64_t product = 1, bytes;
    int empty = 0;
    for (int i = 0; i < ndim; i++) {
        TGR_ASSERT(dims[i] >= 0);
        empty |= dims[i] == 0;
        if (dims[i] != 0 && !tgr_multiply(product, dims[i], &product)) return 0;
    }
    *numbers = empty ? 0 : product;
    return tgr_multiply(product, (int64_t)tgr_element_bytes(element), &bytes);
}

static tgr_status check_size(const header_reader *reader, tgr_tensor_record *tensor) {
    char name[TGR_SHOWN_BYTES];
    if (!tgr_tensor_count(tensor->element, tensor->ndim, tensor->dims, &tensor->count))
        return corrupt(reader, "the product of the dimensions does not fit the machine's integers");
    const int64_t bytes = tensor->count * (int64_t)tgr_element_bytes(tensor->element);
    TGR_REQUIRE(tensor->begin <= tensor->end && tensor->end - tensor->begin == bytes, TGR_ERROR_FILE_CORRUPT,
                "'%.200s': tensor '%s': its shape and dtype need %" PRId64 " bytes; data_offsets are %" PRId64
                " to %" PRId64,
                reader->source, tgr_utf8_show(tensor->name, name), bytes, tensor->begin, tensor->end);
    return TGR_OK;
}

static tgr_status read_tensor(header_reader *reader, const char *name) {
    tgr_tensor_record tensor = {.name = name};
    int seen[FIELDS] = {0};
    reader->name = name;
    TGR_TRY(expect(reader, '{'));
    if (!tgr_json_take(&reader->json, '}')) {
        do TGR_TRY(read_field(reader, &tensor, seen));
        while (tgr_json_take(&reader->json, ','));
        TGR_TRY(expect(reader, '}'));
    }
    for (int i = 0; i < FIELDS; i++)
        if (!seen[i]) return fail_at(reader, TGR_ERROR_FILE_CORRUPT, "it lacks ", fields[i].name);
    TGR_TRY(check_size(reader, &tensor));
    reader->name = NULL;
    return tgr_list_add(&reader->header->tensors, &tensor);
}

static tgr_status read_texts(header_reader *reader) {
    if (reader->has_texts++) return corrupt(reader, "there is a second " TGR_HEADER_TEXTS);
    TGR_TRY(expect(reader, '{'));
    if (tgr_json_take(&reader->json, '}')) return TGR_OK;
    do {
        tgr_text_record text;
        TGR_TRY(read_key(reader, &text.key));
        TGR_TRY(check(reader, tgr_json_string(&reader->json, &text.text)));
        TGR_TRY(tgr_list_add(&reader->header->texts, &text));
    } while (tgr_json_take(&reader->json, ','));
    return expect(reader, '}');
}

static tgr_status read_member(header_reader *reader) {
    const char *key;
    TGR_TRY(read_key(reader, &key));
    return strcmp(key, TGR_HEADER_TEXTS) == 0 ? read_texts(reader) : read_tensor(reader, key);
}

tgr_status tgr_header_read(tgr_header *header, tgr_context *context, const char *source, const unsigned char *json,
                           size_t size) {
    *header = (tgr_header){.context = context,
                           .tensors = {.context = context, .size = sizeof(tgr_tensor_record)},
                           .texts = {.context = context, .size = sizeof(tgr_text_record)}};
    TGR_TRY(tgr_allocate(context, (void **)&header->strings, size, 1));
    header->string_bytes = size;
    header_reader reader = {
        .header = header,
        .source = source,
        .json = {.start = json, .at = json, .end = json + size, .strings = header->strings},
    };
    TGR_TRY(expect(&reader, '{'));
    if (!tgr_json_take(&reader.json, '}')) {
        do TGR_TRY(read_member(&reader));
        while (tgr_json_take(&reader.json, ','));
        TGR_TRY(expect(&reader, '}'));
    }
    TGR_ASSERT(reader.json.strings <= header->strings + size);
    while (tgr_json_take(&reader.json, ' ')) continue;
    return reader.json.at == reader.json.end ? TGR_OK : corrupt(&reader, "something follows the closing '}'");
}

void tgr_header_free(tgr_header *header) {
    tgr_list_free(&header->tensors);
    tgr_list_free(&header->texts);
    tgr_release(header->context, header->strings, header->string_bytes, 1);
    header->strings = NULL;
}

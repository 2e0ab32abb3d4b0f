/* SPDX-License-Identifier: MIT */
/* Opening a file: its header, then the layout of its tensors; and the getters of an open file. */
#include "tgrmoe/safetensors.h"

#include <inttypes.h>
#include <string.h>

#include "base/context.h"
#include "base/memory.h"
#include "base/status.h"
#include "base/struct.h"
#include "safetensors/element.h"
#include "safetensors/file_bytes.h"
#include "safetensors/header.h"
#include "safetensors/name_index.h"
#include "safetensors/utf8.h"

struct tgr_safetensors {
    tgr_context *context; /* retained */
    tgr_file_bytes file;
    tgr_header header; /* its tensors in the order of their data */
    tgr_name_index tensor_names, text_keys;
    size_t data; /* offset of the first tensor */
};

static const tgr_tensor_record *tensor_at(const tgr_safetensors *file, int64_t index) {
    return tgr_list_item(&file->header.tensors, (size_t)index);
}

static const tgr_text_record *text_at(const tgr_safetensors *file, int64_t index) {
    return tgr_list_item(&file->header.texts, (size_t)index);
}

/* By offset; empty tensors before the one that starts at the same byte; then by name, so that the order is unique. */
static int compare_places(const void *a, const void *b) {
    const tgr_tensor_record *first = a, *second = b;
    if (first->begin != second->begin) return first->begin < second->begin ? -1 : 1;
    if (first->end != second->end) return first->end < second->end ? -1 : 1;
    return strcmp(first->name, second->name);
}

/* Finds the *length of the header, which must lie within the file and begin as a JSON object does. */
static tgr_status read_start(const tgr_file_bytes *file, const char *source, size_t *length) {
    unsigned char bytes[TGR_HEADER_LENGTH_BYTES + 1] = {0};
    const size_t size = file->size;
    TGR_TRY(tgr_file_bytes_read(file, 0, bytes, size < sizeof bytes ? size : sizeof bytes));
    TGR_REQUIRE(size >= TGR_HEADER_LENGTH_BYTES, TGR_ERROR_FILE_TRUNCATED,
                "'%.200s' has %zu bytes; a safetensors file begins with %d that give its header's length", source, size,
                TGR_HEADER_LENGTH_BYTES);
    uint64_t claimed = 0;
    for (int i = 0; i < TGR_HEADER_LENGTH_BYTES; i++) claimed |= (uint64_t)bytes[i] << 8 * i;
    TGR_REQUIRE(claimed >= 2 && (size == TGR_HEADER_LENGTH_BYTES || bytes[TGR_HEADER_LENGTH_BYTES] == '{'),
                TGR_ERROR_FILE_FOREIGN, "'%.200s' is not a safetensors file: there is no '{' at byte %d", source,
                TGR_HEADER_LENGTH_BYTES);
    TGR_REQUIRE(claimed <= TGR_HEADER_LIMIT, TGR_ERROR_FILE_CORRUPT,
                "'%.200s' has a header of %" PRIu64 " bytes; the format allows %d", source, claimed, TGR_HEADER_LIMIT);
    TGR_REQUIRE(claimed <= size - TGR_HEADER_LENGTH_BYTES, TGR_ERROR_FILE_TRUNCATED,
                "'%.200s' ends too early: of its header's %" PRIu64 " bytes there are %zu", source, claimed,
                size - TGR_HEADER_LENGTH_BYTES);
    *length = (size_t)claimed;
    return TGR_OK;
}

/* Fails unless each of the sorted tensors starts where the one before ends, and the last ends with the file. */
static tgr_status check_layout(const tgr_safetensors *file, const char *source, int64_t data_bytes) {
    char name[TGR_SHOWN_BYTES];
    int64_t position = 0;
    for (size_t i = 0; i < file->header.tensors.count; i++) {
        const tgr_tensor_record *tensor = tensor_at(file, (int64_t)i);
        TGR_REQUIRE(tensor->begin == position, TGR_ERROR_FILE_CORRUPT,
                    "'%.200s': tensor '%s' begins at byte %" PRId64 " of the data and %s byte %" PRId64
                    ", where the one before ends",
                    source, tgr_utf8_show(tensor->name, name), tensor->begin,
                    tensor->begin < position ? "overlaps" : "leaves a gap from", position);
        TGR_REQUIRE(tensor->end <= data_bytes, TGR_ERROR_FILE_TRUNCATED,
                    "'%.200s' ends too early: tensor '%s' ends at byte %" PRId64 " of the data, which has %" PRId64,
                    source, tgr_utf8_show(tensor->name, name), tensor->end, data_bytes);
        position = tensor->end;
    }
    TGR_REQUIRE(position == data_bytes, TGR_ERROR_FILE_CORRUPT,
                "'%.200s': %" PRId64 " bytes follow the last tensor, which ends at byte %" PRId64 " of the data",
                source, data_bytes - position, position);
    return TGR_OK;
}

/* Fails if a name occurs twice. */
static tgr_status index_names(tgr_name_index *names, const tgr_list *list, const char *what, const char *source) {
    char name[TGR_SHOWN_BYTES];
    TGR_TRY(tgr_name_index_build(names, list));
    const char *twice = tgr_name_index_twice(names);
    TGR_REQUIRE(twice == NULL, TGR_ERROR_FILE_CORRUPT, "'%.200s': there are two %s '%s'", source, what,
                tgr_utf8_show(twice, name));
    return TGR_OK;
}

/* Reads the header's JSON, `length` bytes. */
static tgr_status read_header(tgr_safetensors *file, const char *source, size_t length) {
    unsigned char *json = NULL;
    tgr_status status = TGR_OK;
    TGR_TRY_DONE(tgr_allocate(file->context, (void **)&json, length, 1));
    TGR_TRY_DONE(tgr_file_bytes_read(&file->file, TGR_HEADER_LENGTH_BYTES, json, length));
    TGR_TRY_DONE(tgr_header_read(&file->header, file->context, source, json, length));
done:
    tgr_release(file->context, json, length, 1);
    return status;
}

/* Reads what file->file holds before its tensors. */
static tgr_status read_file(tgr_safetensors *file, const char *source) {
    tgr_list *tensors = &file->header.tensors;
    size_t length = 0;
    TGR_TRY(read_start(&file->file, source, &length));
    TGR_TRY(read_header(file, source, length));
    file->data = TGR_HEADER_LENGTH_BYTES + length;
    tgr_sort(tensors->items, tensors->count, tensors->size, compare_places);
    TGR_TRY(index_names(&file->tensor_names, tensors, "tensors", source));
    TGR_TRY(index_names(&file->text_keys, &file->header.texts, TGR_HEADER_TEXTS " keys", source));
    return check_layout(file, source, (int64_t)(file->file.size - file->data));
}

static tgr_status create(tgr_safetensors **out, tgr_context *context) {
    TGR_TRY(tgr_allocate(context, (void **)out, 1, sizeof **out));
    tgr_context_retain(context);
    **out = (tgr_safetensors){.context = context,
                              .file = {.context = context, .descriptor = -1},
                              .header = {.context = context},
                              .tensor_names = {.context = context},
                              .text_keys = {.context = context}};
    return TGR_OK;
}

tgr_status tgr_safetensors_open(tgr_safetensors **out, tgr_context *context, const char *path) {
    TGR_ENTER;
    TGR_REQUIRE_ARGUMENT(out);
    TGR_REQUIRE_ARGUMENT(context);
    TGR_REQUIRE_ARGUMENT(path);
    tgr_safetensors *file = NULL;
    TGR_TRY(create(&file, context));
    tgr_status status = TGR_OK;
    TGR_TRY_DONE(tgr_file_bytes_open(&file->file, context, path));
    TGR_TRY_DONE(read_file(file, path));
    *out = file;
done:
    if (status != TGR_OK) tgr_safetensors_close(file);
    return status;
}

tgr_status tgr_safetensors_open_memory(tgr_safetensors **out, tgr_context *context, const void *bytes, size_t size) {
    TGR_ENTER;
    TGR_REQUIRE_ARGUMENT(out);
    TGR_REQUIRE_ARGUMENT(context);
    TGR_REQUIRE_ARGUMENT(bytes);
    TGR_REQUIRE(size <= PTRDIFF_MAX, TGR_ERROR_RANGE, "argument 'size' is %zu; it must be at most %td", size,
                PTRDIFF_MAX);
    tgr_safetensors *file = NULL;
    TGR_TRY(create(&file, context));
    file->file = tgr_file_bytes_of_memory(context, bytes, size);
    tgr_status status = TGR_OK;
    TGR_TRY_DONE(read_file(file, "memory"));
    *out = file;
done:
    if (status != TGR_OK) tgr_safetensors_close(file);
    return status;
}

void tgr_safetensors_close(tgr_safetensors *file) {
    if (file == NULL) return;
    tgr_context *context = file->context;
    tgr_name_index_free(&file->text_keys);
    tgr_name_index_free(&file->tensor_names);
    tgr_header_free(&file->header);
    tgr_file_bytes_close(&file->file);
    tgr_release(context, file, 1, sizeof *file);
    tgr_context_free(context);
}

/* Fails unless 0 <= index < count. */
static tgr_status check_index(int64_t index, size_t count) {
    TGR_REQUIRE(index >= 0 && (uint64_t)index < count, TGR_ERROR_RANGE,
                "argument 'index' is %" PRId64 "; there are %zu, numbered from 0", index, count);
    return TGR_OK;
}

int64_t tgr_safetensors_count(const tgr_safetensors *file) {
    return file != NULL ? (int64_t)file->header.tensors.count : 0;
}

tgr_status tgr_safetensors_entry_at(const tgr_safetensors *file, int64_t index, tgr_safetensors_entry *entry) {
    TGR_ENTER;
    TGR_REQUIRE_ARGUMENT(file);
    TGR_TRY(check_index(index, file->header.tensors.count));
    const tgr_tensor_record *tensor = tensor_at(file, index);
    const unsigned char *memory = file->file.memory;
    tgr_safetensors_entry found = {.name = tensor->name,
                                   .element = tensor->element,
                                   .ndim = tensor->ndim,
                                   .count = tensor->count,
                                   .data = memory != NULL ? memory + file->data + tensor->begin : NULL,
                                   .bytes = (uint64_t)(tensor->end - tensor->begin)};
    memcpy(found.dims, tensor->dims, sizeof found.dims);
    return TGR_STRUCT_WRITE(entry, &found, bytes);
}

int64_t tgr_safetensors_find(const tgr_safetensors *file, const char *name) {
    return file != NULL && name != NULL ? tgr_name_index_find(&file->tensor_names, name) : -1;
}

/* The bytes of a tensor: in the caller's memory, or read into *staged, which is to be released. */
static tgr_status fetch(const tgr_safetensors *file, const tgr_tensor_record *tensor, const unsigned char **bytes,
                        unsigned char **staged) {
    const size_t begin = file->data + (size_t)tensor->begin, count = (size_t)(tensor->end - tensor->begin);
    *staged = NULL;
    if (file->file.memory != NULL || count == 0) {
        *bytes = file->file.memory != NULL ? file->file.memory + begin : NULL;
        return TGR_OK;
    }
    TGR_TRY(tgr_allocate(file->context, (void **)staged, count, 1));
    *bytes = *staged;
    return tgr_file_bytes_read(&file->file, begin, *staged, count);
}

static void release_staged(const tgr_safetensors *file, const tgr_tensor_record *tensor, unsigned char *staged) {
    tgr_release(file->context, staged, (size_t)(tensor->end - tensor->begin), 1);
}

tgr_status tgr_safetensors_read(const tgr_safetensors *file, int64_t index, float *to) {
    TGR_ENTER;
    char name[TGR_SHOWN_BYTES];
    TGR_REQUIRE_ARGUMENT(file);
    TGR_TRY(check_index(index, file->header.tensors.count));
    const tgr_tensor_record *tensor = tensor_at(file, index);
    TGR_REQUIRE(to != NULL || tensor->count == 0, TGR_ERROR_ARGUMENT, "argument 'to' is NULL; a pointer is needed");
    TGR_REQUIRE(tgr_element_is_read(tensor->element), TGR_ERROR_UNSUPPORTED,
                "tensor '%s' has type %s; F32, F16, BF16 and F64 can be read", tgr_utf8_show(tensor->name, name),
                tgr_element_name(tensor->element));
    const unsigned char *bytes;
    unsigned char *staged;
    const tgr_status status = fetch(file, tensor, &bytes, &staged);
    if (status == TGR_OK) tgr_element_decode(tensor->element, bytes, tensor->count, to);
    release_staged(file, tensor, staged);
    return status;
}

tgr_status tgr_safetensors_read_bytes(const tgr_safetensors *file, int64_t index, void *to) {
    TGR_ENTER;
    TGR_REQUIRE_ARGUMENT(file);
    TGR_TRY(check_index(index, file->header.tensors.count));
    const tgr_tensor_record *tensor = tensor_at(file, index);
    TGR_REQUIRE(to != NULL || tensor->count == 0, TGR_ERROR_ARGUMENT, "argument 'to' is NULL; a pointer is needed");
    const unsigned char *bytes;
    unsigned char *staged;
    const tgr_status status = fetch(file, tensor, &bytes, &staged);
    if (status == TGR_OK && bytes != NULL && to != NULL) memcpy(to, bytes, (size_t)(tensor->end - tensor->begin));
    release_staged(file, tensor, staged);
    return status;
}

int64_t tgr_safetensors_text_count(const tgr_safetensors *file) {
    return file != NULL ? (int64_t)file->header.texts.count : 0;
}

tgr_status tgr_safetensors_text_at(const tgr_safetensors *file, int64_t index, const char **key, const char **text) {
    TGR_ENTER;
    TGR_REQUIRE_ARGUMENT(file);
    TGR_REQUIRE_ARGUMENT(key);
    TGR_REQUIRE_ARGUMENT(text);
    TGR_TRY(check_index(index, file->header.texts.count));
    *key = text_at(file, index)->key;
    *text = text_at(file, index)->text;
    return TGR_OK;
}

const char *tgr_safetensors_text(const tgr_safetensors *file, const char *key) {
    const int64_t index = file != NULL && key != NULL ? tgr_name_index_find(&file->text_keys, key) : -1;
    return index >= 0 ? text_at(file, index)->text : NULL;
}

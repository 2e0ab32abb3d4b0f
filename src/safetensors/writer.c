/* SPDX-License-Identifier: MIT */
/* Writing: each item is checked when it is added; saving sorts them, writes the header, then the numbers. */
#include <inttypes.h>
#include <string.h>

#include "base/assert.h"
#include "base/context.h"
#include "base/memory.h"
#include "base/status.h"
#include "checkpoint/atomic_file.h"
#include "checkpoint/name_set.h"
#include "safetensors/element.h"
#include "safetensors/header_text.h"
#include "safetensors/utf8.h"

#define CHUNK 16384 /* numbers that are converted at a time */

typedef struct listed_tensor {
    tgr_tensor_record record; /* its name is the writer's own; begin and end are not used */
    const float *data;
} listed_tensor;

struct tgr_safetensors_writer {
    tgr_context *context; /* retained */
    tgr_list tensors;     /* of listed_tensor */
    tgr_list texts;       /* of tgr_text_record, in the writer's own memory */
    tgr_name_set names, keys;
};

tgr_status tgr_safetensors_writer_create(tgr_safetensors_writer **out, tgr_context *context) {
    TGR_ENTER;
    TGR_REQUIRE_ARGUMENT(out);
    TGR_REQUIRE_ARGUMENT(context);
    tgr_safetensors_writer *writer = NULL;
    TGR_TRY(tgr_allocate(context, (void **)&writer, 1, sizeof *writer));
    tgr_context_retain(context);
    *writer = (tgr_safetensors_writer){.context = context,
                                       .tensors = {.context = context, .size = sizeof(listed_tensor)},
                                       .texts = {.context = context, .size = sizeof(tgr_text_record)},
                                       .names = {.context = context},
                                       .keys = {.context = context}};
    *out = writer;
    return TGR_OK;
}

static void release_text(tgr_context *context, const char *text) {
    if (text != NULL) tgr_release(context, (char *)text, strlen(text) + 1, 1);
}

void tgr_safetensors_writer_free(tgr_safetensors_writer *writer) {
    if (writer == NULL) return;
    tgr_context *context = writer->context;
    for (size_t i = 0; i < writer->tensors.count; i++)
        release_text(context, ((listed_tensor *)tgr_list_item(&writer->tensors, i))->record.name);
    for (size_t i = 0; i < writer->texts.count; i++) {
        const tgr_text_record *text = tgr_list_item(&writer->texts, i);
        release_text(context, text->key);
        release_text(context, text->text);
    }
    tgr_list_free(&writer->tensors);
    tgr_list_free(&writer->texts);
    tgr_name_set_free(&writer->names);
    tgr_name_set_free(&writer->keys);
    tgr_release(context, writer, 1, sizeof *writer);
    tgr_context_free(context);
}

static tgr_status copy_text(tgr_context *context, const char *text, const char **out) {
    char *copy = NULL;
    const size_t bytes = strlen(text) + 1;
    TGR_TRY(tgr_allocate(context, (void **)&copy, bytes, 1));
    memcpy(copy, text, bytes);
    *out = copy;
    return TGR_OK;
}

static tgr_status check_text(const char *text, const char *argument) {
    char shown[TGR_SHOWN_BYTES];
    TGR_REQUIRE(tgr_utf8_valid(text), TGR_ERROR_RANGE, "argument '%s' is '%s', which is not UTF-8", argument,
                tgr_utf8_show(text, shown));
    return TGR_OK;
}

/* The last step that can fail: fails if `name` is in the set, otherwise adds it. */
static tgr_status claim(tgr_name_set *set, const char *name, const char *argument) {
    char shown[TGR_SHOWN_BYTES];
    int known;
    TGR_TRY(tgr_name_set_add(set, name, &known));
    TGR_REQUIRE(!known, TGR_ERROR_ARGUMENT, "argument '%s' is '%s', which is taken already", argument,
                tgr_utf8_show(name, shown));
    return TGR_OK;
}

static tgr_status check_shape(tgr_tensor_record *record, int ndim, const int64_t *dims) {
    TGR_REQUIRE(ndim >= 0 && ndim <= TGR_SAFETENSORS_DIMS, TGR_ERROR_RANGE, "argument 'ndim' is %d; it must be 0 to %d",
                ndim, TGR_SAFETENSORS_DIMS);
    TGR_REQUIRE(ndim == 0 || dims != NULL, TGR_ERROR_ARGUMENT, "argument 'dims' is NULL; a pointer is needed");
    for (int i = 0; i < ndim; i++)
        TGR_REQUIRE(dims[i] >= 0, TGR_ERROR_RANGE, "argument 'dims' has %" PRId64 " at %d; it must be at least 0",
                    dims[i], i);
    TGR_REQUIRE(tgr_tensor_count(record->element, ndim, dims, &record->count), TGR_ERROR_OVERFLOW,
                "the product of argument 'dims' does not fit the machine's integers");
    record->ndim = ndim;
    for (int i = 0; i < ndim; i++) record->dims[i] = dims[i];
    return TGR_OK;
}

tgr_status tgr_safetensors_writer_add(tgr_safetensors_writer *writer, const char *name, tgr_element element, int ndim,
                                      const int64_t *dims, const float *data) {
    TGR_ENTER;
    TGR_REQUIRE_ARGUMENT(writer);
    TGR_REQUIRE_ARGUMENT(name);
    TGR_TRY(check_text(name, "name"));
    TGR_REQUIRE(strcmp(name, TGR_HEADER_TEXTS) != 0, TGR_ERROR_ARGUMENT,
                "argument 'name' is '" TGR_HEADER_TEXTS "', which the format reserves");
    TGR_REQUIRE(element == TGR_ELEMENT_F32 || element == TGR_ELEMENT_BF16, TGR_ERROR_UNSUPPORTED,
                "argument 'element' is %d; TGR_ELEMENT_F32 and TGR_ELEMENT_BF16 can be written", (int)element);
    listed_tensor tensor = {.record = {.element = element}, .data = data};
    TGR_TRY(check_shape(&tensor.record, ndim, dims));
    TGR_REQUIRE(data != NULL || tensor.record.count == 0, TGR_ERROR_ARGUMENT,
                "argument 'data' is NULL; a pointer is needed");

    tgr_status status = TGR_OK;
    TGR_TRY_DONE(tgr_list_reserve(&writer->tensors));
    TGR_TRY_DONE(copy_text(writer->context, name, &tensor.record.name));
    TGR_TRY_DONE(claim(&writer->names, name, "name"));
    status = tgr_list_add(&writer->tensors, &tensor);
    TGR_ASSERT(status == TGR_OK); /* there is room */
done:
    if (status != TGR_OK) release_text(writer->context, tensor.record.name);
    return status;
}

tgr_status tgr_safetensors_writer_add_text(tgr_safetensors_writer *writer, const char *key, const char *text) {
    TGR_ENTER;
    TGR_REQUIRE_ARGUMENT(writer);
    TGR_REQUIRE_ARGUMENT(key);
    TGR_REQUIRE_ARGUMENT(text);
    TGR_TRY(check_text(key, "key"));
    TGR_TRY(check_text(text, "text"));
    tgr_text_record record = {0};
    tgr_status status = TGR_OK;
    TGR_TRY_DONE(tgr_list_reserve(&writer->texts));
    TGR_TRY_DONE(copy_text(writer->context, key, &record.key));
    TGR_TRY_DONE(copy_text(writer->context, text, &record.text));
    TGR_TRY_DONE(claim(&writer->keys, key, "key"));
    status = tgr_list_add(&writer->texts, &record);
    TGR_ASSERT(status == TGR_OK); /* there is room */
done:
    if (status != TGR_OK) release_text(writer->context, record.text);
    if (status != TGR_OK) release_text(writer->context, record.key);
    return status;
}

/* The order in the file, as in the reference library: wide elements first, so that all are aligned; then by name. */
static int compare_listed(const void *a, const void *b) {
    const tgr_tensor_record *first = *(const tgr_tensor_record *const *)a,
                            *second = *(const tgr_tensor_record *const *)b;
    const size_t first_bytes = tgr_element_bytes(first->element), second_bytes = tgr_element_bytes(second->element);
    if (first_bytes != second_bytes) return first_bytes > second_bytes ? -1 : 1;
    return strcmp(first->name, second->name);
}

/* Writes the numbers of one tensor at *offset, which advances past them. `chunk` has room for CHUNK numbers. */
static tgr_status write_tensor(tgr_atomic_file *file, uint64_t *offset, const listed_tensor *tensor, void *chunk) {
    const size_t bytes = tgr_element_bytes(tensor->record.element);
    for (int64_t done = 0; done < tensor->record.count;) {
        const int64_t left = tensor->record.count - done, count = left < CHUNK ? left : CHUNK;
        const int encoded = tgr_element_encode(tensor->record.element, tensor->data + done, count, chunk);
        TGR_ASSERT(encoded); /* tgr_safetensors_writer_add takes no other elements */
        TGR_TRY(tgr_atomic_file_write(file, *offset, chunk, (size_t)count * bytes));
        *offset += (uint64_t)count * bytes;
        done += count;
    }
    return TGR_OK;
}

/* `sorted` points to the records of listed tensors. */
static tgr_status write_file(const char *path, const tgr_tensor_record *const *sorted, size_t count,
                             const unsigned char *header, size_t header_bytes, void *chunk) {
    tgr_status status = TGR_OK;
    tgr_atomic_file file;
    uint64_t offset = header_bytes;
    TGR_TRY(tgr_atomic_file_open(&file, path));
    TGR_TRY_DONE(tgr_atomic_file_write(&file, 0, header, header_bytes));
    for (size_t i = 0; i < count; i++)
        TGR_TRY_DONE(write_tensor(&file, &offset, (const listed_tensor *)sorted[i], chunk));
    TGR_TRY_DONE(tgr_atomic_file_commit(&file));
done:
    tgr_atomic_file_close(&file);
    return status;
}

tgr_status tgr_safetensors_writer_save(const tgr_safetensors_writer *writer, const char *path) {
    TGR_ENTER;
    TGR_REQUIRE_ARGUMENT(writer);
    TGR_REQUIRE_ARGUMENT(path);
    const tgr_list *texts = &writer->texts;
    const size_t count = writer->tensors.count;
    const tgr_tensor_record **sorted = NULL;
    unsigned char *header = NULL, *chunk = NULL;
    size_t header_bytes = 0, written = 0;
    tgr_status status = TGR_OK;
    TGR_TRY_DONE(tgr_allocate(writer->context, (void **)&sorted, count, sizeof(const tgr_tensor_record *)));
    for (size_t i = 0; i < count; i++) sorted[i] = tgr_list_item(&writer->tensors, i);
    tgr_sort(sorted, count, sizeof(const tgr_tensor_record *), compare_listed);
    TGR_TRY_DONE(tgr_header_write(sorted, count, texts->items, texts->count, NULL, &header_bytes));
    TGR_TRY_DONE(tgr_allocate(writer->context, (void **)&header, header_bytes, 1));
    TGR_TRY_DONE(tgr_allocate(writer->context, (void **)&chunk, CHUNK, sizeof(float)));
    TGR_TRY_DONE(tgr_header_write(sorted, count, texts->items, texts->count, header, &written));
    TGR_ASSERT(written == header_bytes);
    TGR_TRY_DONE(write_file(path, sorted, count, header, header_bytes, chunk));
done:
    tgr_release(writer->context, chunk, CHUNK, sizeof(float));
    tgr_release(writer->context, header, header_bytes, 1);
    tgr_release(writer->context, sorted, count, sizeof(const tgr_tensor_record *));
    return status;
}

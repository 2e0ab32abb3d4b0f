/* SPDX-License-Identifier: MIT */
/**
 * @file safetensors.h
 * Files in the safetensors format: named tensors and a table of texts, in which Python programs keep weights. This
 * header knows only tensors and names; exchange.h knows what a model's tensors are called.
 *
 * A file is checked as a whole when it is opened: header length, JSON, UTF-8, element types, shapes, and that the
 * tensors cover the data without overlap or gap. Numbers stay in the file until they are read.
 */
#ifndef TGRMOE_SAFETENSORS_H
#define TGRMOE_SAFETENSORS_H

#include "tgrmoe/context.h"

#ifdef __cplusplus
extern "C" {
#endif

/** Element types: X(number, NAME, "name in the file", bytes). A file may contain any of them; F32, F16, BF16 and F64
 *  can be read as numbers, F32 and BF16 written. */
#define TGR_ELEMENT_MAP(X) \
    X(1, F32, "F32", 4)    \
    X(2, F16, "F16", 2)    \
    X(3, BF16, "BF16", 2)  \
    X(10, F64, "F64", 8)   \
    X(20, I64, "I64", 8)   \
    X(21, I32, "I32", 4)   \
    X(22, I16, "I16", 2)   \
    X(23, I8, "I8", 1)     \
    X(30, U64, "U64", 8)   \
    X(31, U32, "U32", 4)   \
    X(32, U16, "U16", 2)   \
    X(33, U8, "U8", 1)     \
    X(40, BOOL, "BOOL", 1)

typedef enum tgr_element {
#define TGR_ELEMENT_ENUM(number, name, text, bytes) TGR_ELEMENT_##name = number,
    TGR_ELEMENT_MAP(TGR_ELEMENT_ENUM)
#undef TGR_ELEMENT_ENUM
} tgr_element;

/** The most dimensions of a tensor in a file. */
#define TGR_SAFETENSORS_DIMS 8

/** One tensor of an open file. Pointers are valid until the file is closed. */
typedef struct tgr_safetensors_entry {
    size_t struct_size;                 /**< set by the caller to its own sizeof, before the call */
    const char *name;                   /**< UTF-8 */
    tgr_element element;                /**< element type */
    int32_t ndim;                       /**< 0 to TGR_SAFETENSORS_DIMS; 0 is a single number */
    int64_t dims[TGR_SAFETENSORS_DIMS]; /**< zero past ndim */
    int64_t count;                      /**< number of elements */
    const void *data;                   /**< of a file in memory, perhaps unaligned; NULL when opened by path */
    uint64_t bytes;                     /**< in the file: little-endian, row-major */
} tgr_safetensors_entry;

/** Opens and checks a file. ERROR_FILE, ERROR_FILE_FOREIGN, ERROR_FILE_TRUNCATED or ERROR_FILE_CORRUPT with a message
 *  that names the tensor; ERROR_UNSUPPORTED for an element type that is not in TGR_ELEMENT_MAP and for more dimensions
 *  than TGR_SAFETENSORS_DIMS. The file stays open for reading. If others truncate it in the meantime, reading what is
 *  gone fails with ERROR_FILE_TRUNCATED. (Replacing it, as tgr_safetensors_writer_save() does, leaves the open one as
 *  it was.) */
TGR_API tgr_status tgr_safetensors_open(tgr_safetensors **out, tgr_context *context, const char *path);
/** The same from memory, which must stay, unchanged, until the file is closed. */
TGR_API tgr_status tgr_safetensors_open_memory(tgr_safetensors **out, tgr_context *context, const void *bytes,
                                               size_t size);
TGR_API void tgr_safetensors_close(tgr_safetensors *file);

/** How many tensors there are. */
TGR_API int64_t tgr_safetensors_count(const tgr_safetensors *file);
/** Tensor `index` in [0, tgr_safetensors_count()), in the order of their data. */
TGR_API tgr_status tgr_safetensors_entry_at(const tgr_safetensors *file, int64_t index, tgr_safetensors_entry *entry);
/** The index of the tensor called `name`; -1 if there is none. */
TGR_API int64_t tgr_safetensors_find(const tgr_safetensors *file, const char *name);
/** The numbers of tensor `index` as float32, `count` of them; F64 is rounded to the nearest. ERROR_UNSUPPORTED for
 *  integers. */
TGR_API tgr_status tgr_safetensors_read(const tgr_safetensors *file, int64_t index, float *to);
/** The bytes of tensor `index`, of any type, as in the file: as many as tgr_safetensors_entry's `bytes`. */
TGR_API tgr_status tgr_safetensors_read_bytes(const tgr_safetensors *file, int64_t index, void *to);
/** How many texts there are (the file's __metadata__). */
TGR_API int64_t tgr_safetensors_text_count(const tgr_safetensors *file);
/** Text `index` in [0, tgr_safetensors_text_count()) and its key, in file order. */
TGR_API tgr_status tgr_safetensors_text_at(const tgr_safetensors *file, int64_t index, const char **key,
                                           const char **text);
/** The text with the key `key`; NULL if there is none. Valid until the file is closed. */
TGR_API const char *tgr_safetensors_text(const tgr_safetensors *file, const char *key);

/** A file to be written: tensors and texts are added first, then written together. */
TGR_API tgr_status tgr_safetensors_writer_create(tgr_safetensors_writer **out, tgr_context *context);
TGR_API void tgr_safetensors_writer_free(tgr_safetensors_writer *writer);
/** Adds a float32 tensor; `data` must stay until the file is written. `element` is TGR_ELEMENT_F32 or TGR_ELEMENT_BF16
 *  (rounded to nearest, ties to even). A name, which is UTF-8, may be used once. */
TGR_API tgr_status tgr_safetensors_writer_add(tgr_safetensors_writer *writer, const char *name, tgr_element element,
                                              int ndim, const int64_t *dims, const float *data);
/** Adds a text. A key may be used once. */
TGR_API tgr_status tgr_safetensors_writer_add_text(tgr_safetensors_writer *writer, const char *key, const char *text);
/** Writes everything to `path` as tgr_checkpoint_save() does: a crash leaves the old file or the new one, complete. The
 *  bytes do not depend on the order in which tensors were added: F32 before BF16, then by name, as in the format's
 *  reference library, so that all numbers are aligned. Texts are in the order in which they were added. */
TGR_API tgr_status tgr_safetensors_writer_save(const tgr_safetensors_writer *writer, const char *path);

#ifdef __cplusplus
}
#endif
#endif

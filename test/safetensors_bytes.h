/* SPDX-License-Identifier: MIT */
/* Files in the safetensors format put together by hand: a model's tensors as another library would write them, with one
 * of them altered. */
#ifndef TGR_TEST_SAFETENSORS_BYTES_H
#define TGR_TEST_SAFETENSORS_BYTES_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/parameters.h"
#include "support.h"

/* How the file differs from the model. Zeroed: not at all. */
typedef struct test_edit {
    const char *name; /* the tensor that is altered */
    int drop;         /* it is left out */
    int ndim;         /* or it has this shape, where above 0 */
    int64_t dims[4];
    const char *its_element; /* or this element type, where not NULL */
    const char *extra;       /* a tensor [2, 3] of this name is there too */
    const char *element;     /* "F32" where NULL, else "F16", "BF16" or "F64", of all */
    const char *prefix;      /* in front of all names, or NULL */
    const char *unprefixed;  /* but of this one, or NULL */
    int gamma;               /* LayerScale has the names that DeiT-III's own files give it */
    const char *texts;       /* such as "\"mean\":\"0.5\"", or NULL */
} test_edit;

typedef struct test_bytes {
    unsigned char *bytes;
    size_t size;
} test_bytes;

/* To the nearest number for one in float16's range of normal numbers; smaller ones become zero. */
static inline uint16_t test_float16(float value) {
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    const uint32_t sign = bits >> 16 & 0x8000u, magnitude = (bits & 0x7fffffffu) + 0x1000u;
    return (uint16_t)(sign | (magnitude < 0x38800000u ? 0 : (magnitude - 0x38000000u) >> 13));
}

static inline size_t test_element_bytes(const char *element) {
    return strstr(element, "32") != NULL ? 4 : strstr(element, "64") != NULL ? 8 : 2;
}

typedef struct test_builder {
    char *header;
    unsigned char *data;
    size_t header_size, data_size;
} test_builder;

/* `values` may be fewer than the shape has; the rest is zero. */
static inline void test_build_tensor(test_builder *builder, const char *name, const char *element, int ndim,
                                     const int64_t *dims, const float *values, int64_t value_count) {
    int64_t count = 1;
    char *at = builder->header + builder->header_size;
    at += sprintf(at, ",\"%s\":{\"dtype\":\"%s\",\"shape\":[", name, element);
    for (int i = 0; i < ndim; i++) {
        at += sprintf(at, "%s%lld", i ? "," : "", (long long)dims[i]);
        count *= dims[i];
    }
    const size_t size = test_element_bytes(element), bytes = (size_t)count * size;
    at += sprintf(at, "],\"data_offsets\":[%zu,%zu]}", builder->data_size, builder->data_size + bytes);
    builder->header_size = (size_t)(at - builder->header);
    builder->data = realloc(builder->data, builder->data_size + bytes + 1);
    assert_non_null(builder->data);
    unsigned char *to = builder->data + builder->data_size;
    memset(to, 0, bytes);
    for (int64_t i = 0; i < count && i < value_count; i++) {
        uint32_t word;
        memcpy(&word, &values[i], sizeof word);
        const uint16_t half = strcmp(element, "F16") == 0 ? test_float16(values[i])
                                                          : (uint16_t)((word + 0x7fffu + (word >> 16 & 1)) >> 16);
        const double wide = (double)values[i];
        const void *number = size == 2 ? (const void *)&half : size == 8 ? (const void *)&wide : &word;
        memcpy(to + (size_t)i * size, number, size);
    }
    builder->data_size += bytes;
}

/* The name that the file has for the model's tensor. */
static inline const char *test_name_in_file(char memory[256], const char *name, const test_edit *edit) {
    const char *prefix = edit->prefix != NULL ? edit->prefix : "";
    const char *scale = edit->gamma ? strstr(name, ".ls") : NULL;
    if (edit->unprefixed != NULL && strcmp(name, edit->unprefixed) == 0) prefix = "";
    if (scale != NULL)
        snprintf(memory, 256, "%s%.*s.gamma_%c", prefix, (int)(scale - name), name, scale[3]);
    else
        snprintf(memory, 256, "%s%s", prefix, name);
    return memory;
}

/* Free the bytes with free(). */
static inline test_bytes test_build(const tgr_parameters *parameters, const test_edit *edit) {
    test_builder builder = {.header = malloc(1 << 16), .data = malloc(1)};
    const char *element = edit->element != NULL ? edit->element : "F32";
    assert_non_null(builder.header);
    assert_non_null(builder.data);
    builder.header_size = (size_t)sprintf(builder.header, "{\"__metadata__\":{%s}", edit->texts ? edit->texts : "");
    FOR(i, parameters->tensor_count) {
        const tgr_tensor *tensor = &parameters->tensors[i];
        const int meant = edit->name != NULL && strcmp(edit->name, tensor->name) == 0;
        if (meant && edit->drop) continue;
        const int reshaped = meant && edit->ndim > 0;
        char name[256];
        test_build_tensor(&builder, test_name_in_file(name, tensor->name, edit),
                          meant && edit->its_element ? edit->its_element : element,
                          reshaped ? edit->ndim : tensor->ndim, reshaped ? edit->dims : tensor->dims,
                          tgr_value(parameters, i), tensor->count);
    }
    if (edit->extra != NULL) test_build_tensor(&builder, edit->extra, element, 2, (const int64_t[]){2, 3}, NULL, 0);
    builder.header[builder.header_size++] = '}';
    test_bytes file = {.size = 8 + builder.header_size + builder.data_size};
    file.bytes = malloc(file.size);
    assert_non_null(file.bytes);
    for (int i = 0; i < 8; i++) file.bytes[i] = (unsigned char)((uint64_t)builder.header_size >> 8 * i);
    memcpy(file.bytes + 8, builder.header, builder.header_size);
    memcpy(file.bytes + 8 + builder.header_size, builder.data, builder.data_size);
    free(builder.header);
    free(builder.data);
    return file;
}

#endif

/* SPDX-License-Identifier: MIT */
/* The checksum is that of the whole arena, in which each tensor is followed by zeros up to the next. */
#include "checkpoint/backbone.h"

#include <zlib.h>

#include "base/parameters.h"

/* What the tensor at `values` will be. */
static const float *staged_or(const tgr_entry_list *list, const float *values) {
    for (size_t i = 0; i < list->count; i++)
        if (list->entries[i].data == values && list->entries[i].staged != NULL) return list->entries[i].staged;
    return values;
}

static uLong add(uLong crc, const float *values, int64_t count) {
    return crc32_z(crc, (const Bytef *)values, (z_size_t)count * sizeof *values);
}

uint32_t tgr_backbone_fingerprint(const tgr_teacher *teacher, const tgr_entry_list *list) {
    const tgr_parameters *weights = tgr_teacher_backbone_weights(teacher);
    uLong crc = 0;
    for (int64_t i = 0; i < weights->tensor_count; i++) {
        const tgr_tensor *tensor = &weights->tensors[i];
        int64_t end = tensor->offset + tensor->count;
        int64_t next = i + 1 < weights->tensor_count ? weights->tensors[i + 1].offset : weights->floats;
        crc = add(crc, staged_or(list, tgr_value(weights, i)), tensor->count);
        crc = add(crc, weights->values + end, next - end);
    }
    return (uint32_t)crc;
}

/* SPDX-License-Identifier: MIT */
/* Lookup in an open file, and shapes as texts. */
#include "exchange/entry.h"

#include <stdio.h>

#include "base/assert.h"
#include "base/status.h"

tgr_status tgr_entry_find(const tgr_safetensors *file, const char *name, int *found, int64_t *index,
                          tgr_safetensors_entry *entry) {
    *index = tgr_safetensors_find(file, name);
    *found = *index >= 0;
    entry->struct_size = sizeof *entry;
    return *found ? tgr_safetensors_entry_at(file, *index, entry) : TGR_OK;
}

const char *tgr_shape_write(char text[TGR_SHAPE_BYTES], int ndim, const int64_t *dims) {
    int used = snprintf(text, TGR_SHAPE_BYTES, "[");
    for (int i = 0; i < ndim; i++)
        used += snprintf(text + used, TGR_SHAPE_BYTES - (size_t)used, i ? ", %lld" : "%lld", (long long)dims[i]);
    TGR_ASSERT(used + 1 < TGR_SHAPE_BYTES);
    snprintf(text + used, TGR_SHAPE_BYTES - (size_t)used, "]");
    return text;
}

/* SPDX-License-Identifier: MIT */
/* Lists of named tensors: building, writing, committing. */
#include "checkpoint/entry.h"

#include <stdio.h>
#include <string.h>

#include "base/assert.h"
#include "base/memory.h"
#include "base/status.h"
#include "checkpoint/section_writer.h"

#define FIRST_CAPACITY 64

static tgr_status make_room(tgr_entry_list *list) {
    if (list->count < list->capacity) return TGR_OK;
    const size_t capacity = list->capacity == 0 ? FIRST_CAPACITY : 2 * list->capacity;
    tgr_entry *entries = NULL;
    TGR_TRY(tgr_allocate(list->context, (void **)&entries, capacity, sizeof *entries));
    if (list->count > 0) memcpy(entries, list->entries, list->count * sizeof *entries);
    tgr_release(list->context, list->entries, list->capacity, sizeof *list->entries);
    list->entries = entries;
    list->capacity = capacity;
    return TGR_OK;
}

tgr_status tgr_entry_add(tgr_entry_list *list, const char *object, const char *part, const char *tensor, int type,
                         int ndim, const int64_t *dims, void *data, unsigned flags) {
    TGR_ASSERT(ndim >= 1 && ndim <= TGR_SECTION_MAX_DIMS);
    tgr_entry entry = {.header = {.type = type, .ndim = ndim}, .data = data, .flags = flags};
    const int length =
        snprintf(entry.header.name, sizeof entry.header.name, "%s%s%s", object, part, tensor != NULL ? tensor : "");
    TGR_REQUIRE((size_t)length < sizeof entry.header.name && tgr_section_name_valid(entry.header.name),
                TGR_ERROR_ARGUMENT, "'%s' cannot be saved: its name is too long or has unusual characters",
                entry.header.name);
    for (int i = 0; i < ndim; i++) entry.header.dims[i] = (uint64_t)dims[i];
    TGR_REQUIRE(tgr_section_size(type, ndim, entry.header.dims, &entry.header.raw_bytes), TGR_ERROR_OVERFLOW,
                "'%s' has a dimension of zero or is too large to count", entry.header.name);
    TGR_TRY(make_room(list));
    list->entries[list->count++] = entry;
    return TGR_OK;
}

void tgr_entries_free(tgr_entry_list *list) {
    for (size_t i = 0; i < list->count; i++)
        tgr_release(list->context, list->entries[i].staged, (size_t)list->entries[i].header.raw_bytes, 1);
    tgr_release(list->context, list->entries, list->capacity, sizeof *list->entries);
    *list = (tgr_entry_list){.context = list->context};
}

tgr_status tgr_entries_write(const tgr_entry_list *list, const char *path) {
    tgr_status status = TGR_OK;
    tgr_section_writer writer;
    TGR_TRY_DONE(tgr_section_writer_open(&writer, list->context, path));
    for (size_t i = 0; i < list->count; i++)
        TGR_TRY_DONE(tgr_section_writer_add(&writer, &list->entries[i].header, list->entries[i].data));
    TGR_TRY_DONE(tgr_section_writer_finish(&writer));
done:
    tgr_section_writer_close(&writer);
    return status;
}

void tgr_entries_commit(const tgr_entry_list *list) {
    for (size_t i = 0; i < list->count; i++) {
        const tgr_entry *entry = &list->entries[i];
        TGR_ASSERT(entry->staged == NULL || (entry->found && !(entry->flags & TGR_ENTRY_OWN)));
        if (entry->staged != NULL) memcpy(entry->data, entry->staged, (size_t)entry->header.raw_bytes);
    }
}

/* SPDX-License-Identifier: MIT */
/* Reading a file against a list of entries. Nothing but the checkpoint's own memory is written here. */
#include <stdio.h>
#include <string.h>

#include "base/assert.h"
#include "base/memory.h"
#include "base/status.h"
#include "checkpoint/entry.h"
#include "checkpoint/section_reader.h"

typedef struct search {
    tgr_entry_list *list;
    size_t next; /* where to look first: most files have the list's order */
    int strict;
    const char *path;
    char *misfit; /* [TGR_MISFIT_BYTES] */
} search;

static tgr_entry *find(search *where, const char *name) {
    for (size_t i = 0; i < where->list->count; i++) {
        const size_t place = (where->next + i) % where->list->count;
        if (strcmp(where->list->entries[place].header.name, name) == 0) {
            where->next = place + 1;
            return &where->list->entries[place];
        }
    }
    return NULL;
}

/* Whether the list has other parts of the object that section `name` belongs to: "model" in "model/norm.weight". */
static int knows_object(const tgr_entry_list *list, const char *name) {
    const size_t length = strcspn(name, "./");
    for (size_t i = 0; i < list->count; i++) {
        const char *candidate = list->entries[i].header.name;
        if (strcspn(candidate, "./") == length && memcmp(candidate, name, length) == 0) return 1;
    }
    return 0;
}

static int fits(const tgr_entry *entry, const tgr_section_header *header) {
    if (entry->header.type != header->type || entry->header.ndim != header->ndim) return 0;
    TGR_ASSERT(!(entry->flags & TGR_ENTRY_FLEXIBLE) || entry->header.ndim == 1);
    if (entry->flags & TGR_ENTRY_FLEXIBLE) return header->dims[0] <= entry->header.dims[0];
    return memcmp(entry->header.dims, header->dims, sizeof header->dims) == 0;
}

static void note_unknown(search *where, const tgr_section_header *header) {
    if (where->misfit[0] != '\0' || !where->strict || !knows_object(where->list, header->name)) return;
    snprintf(where->misfit, TGR_MISFIT_BYTES, "'%s' has '%s', for which there is no place here", where->path,
             header->name);
}

static void note_other_shape(search *where, const tgr_entry *entry, const tgr_section_header *header) {
    char here[TGR_SHAPE_TEXT], there[TGR_SHAPE_TEXT];
    if (where->misfit[0] != '\0') return;
    snprintf(where->misfit, TGR_MISFIT_BYTES, "'%s' is %s in '%s' and %s here", header->name,
             tgr_section_shape(header->type, header->ndim, header->dims, there), where->path,
             tgr_section_shape(entry->header.type, entry->header.ndim, entry->header.dims, here));
}

static void note_missing(search *where, const tgr_entry *entry) {
    if (where->misfit[0] != '\0') return;
    snprintf(where->misfit, TGR_MISFIT_BYTES, "'%s' lacks '%s'", where->path, entry->header.name);
}

/* Where the section's payload goes; *target is NULL if it is not needed. */
static tgr_status stage(search *where, const tgr_section_header *header, void **target) {
    *target = NULL;
    tgr_entry *entry = find(where, header->name);
    if (entry == NULL) {
        note_unknown(where, header);
        return TGR_OK;
    }
    if (!fits(entry, header)) {
        note_other_shape(where, entry, header);
        return TGR_OK;
    }
    entry->found = 1;
    if (entry->flags & TGR_ENTRY_OWN) {
        memcpy(entry->header.dims, header->dims, sizeof header->dims);
        entry->header.raw_bytes = header->raw_bytes;
        *target = entry->data;
        return TGR_OK;
    }
    TGR_TRY(tgr_allocate(where->list->context, &entry->staged, (size_t)header->raw_bytes, 1));
    *target = entry->staged;
    return TGR_OK;
}

static tgr_status read_sections(search *where, tgr_section_reader *reader) {
    for (;;) {
        tgr_section_header header;
        int more;
        void *target;
        TGR_TRY(tgr_section_reader_next(reader, &header, &more));
        if (!more) break;
        TGR_TRY(stage(where, &header, &target));
        TGR_TRY(tgr_section_reader_payload(reader, &header, target));
    }
    for (size_t i = 0; i < where->list->count; i++) {
        const tgr_entry *entry = &where->list->entries[i];
        if (!entry->found && !(entry->flags & TGR_ENTRY_OPTIONAL)) note_missing(where, entry);
    }
    return TGR_OK;
}

tgr_status tgr_entries_read(tgr_entry_list *list, const char *path, int strict, char misfit[TGR_MISFIT_BYTES]) {
    search where = {.list = list, .strict = strict, .path = path, .misfit = misfit};
    misfit[0] = '\0';
    tgr_section_reader reader;
    tgr_status status = TGR_OK;
    TGR_TRY_DONE(tgr_section_reader_open(&reader, list->context, path));
    TGR_TRY_DONE(read_sections(&where, &reader));
done:
    tgr_section_reader_close(&reader);
    return status;
}

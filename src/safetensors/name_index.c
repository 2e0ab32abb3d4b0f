/* SPDX-License-Identifier: MIT */
/* Names in sorted order. */
#include "safetensors/name_index.h"

#include <string.h>

#include "base/assert.h"
#include "base/memory.h"
#include "base/status.h"

static int compare_names(const void *a, const void *b) {
    return strcmp(((const tgr_named *)a)->name, ((const tgr_named *)b)->name);
}

tgr_status tgr_name_index_build(tgr_name_index *names, const tgr_list *list) {
    TGR_ASSERT(list->size >= sizeof names->sorted[0].name);
    *names = (tgr_name_index){.context = list->context};
    TGR_TRY(tgr_allocate(list->context, (void **)&names->sorted, list->count, sizeof *names->sorted));
    names->count = list->count;
    for (size_t i = 0; i < list->count; i++) {
        memcpy(&names->sorted[i].name, tgr_list_item(list, i), sizeof names->sorted[i].name);
        names->sorted[i].index = (int64_t)i;
    }
    tgr_sort(names->sorted, names->count, sizeof *names->sorted, compare_names);
    return TGR_OK;
}

const char *tgr_name_index_twice(const tgr_name_index *names) {
    for (size_t i = 1; i < names->count; i++)
        if (compare_names(&names->sorted[i - 1], &names->sorted[i]) == 0) return names->sorted[i].name;
    return NULL;
}

int64_t tgr_name_index_find(const tgr_name_index *names, const char *name) {
    size_t low = 0, high = names->count;
    while (low < high) {
        const size_t middle = low + (high - low) / 2;
        const int order = strcmp(name, names->sorted[middle].name);
        if (order == 0) return names->sorted[middle].index;
        if (order < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return -1;
}

void tgr_name_index_free(tgr_name_index *names) {
    tgr_release(names->context, names->sorted, names->count, sizeof *names->sorted);
    names->sorted = NULL;
    names->count = 0;
}

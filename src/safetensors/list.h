/* SPDX-License-Identifier: MIT */
/* A growing array of items of one size. */
#ifndef TGR_SAFETENSORS_LIST_H
#define TGR_SAFETENSORS_LIST_H

#include "base/assert.h"
#include "tgrmoe/context.h"

typedef struct tgr_list {
    tgr_context *context; /* set by the user, as is `size`; the rest starts as zero */
    size_t size;          /* bytes of an item */
    void *items;
    size_t count, capacity;
} tgr_list;

/* Makes room for one more item. */
tgr_status tgr_list_reserve(tgr_list *list);
tgr_status tgr_list_add(tgr_list *list, const void *item);
void tgr_list_free(tgr_list *list);

static inline void *tgr_list_item(const tgr_list *list, size_t index) {
    TGR_ASSERT(index < list->capacity);
    return (char *)list->items + index * list->size;
}

/* Sorts in place, in n log n steps whatever the order, without allocating (the C library's qsort may). Items for which
 * `compare` returns 0 end up in any order. */
void tgr_sort(void *items, size_t count, size_t size, int (*compare)(const void *a, const void *b));

#endif

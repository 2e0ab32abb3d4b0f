/* SPDX-License-Identifier: MIT */
/* Items of one size, one after the other in memory, more and more of them. */
#ifndef TGR_SAFETENSORS_LIST_H
#define TGR_SAFETENSORS_LIST_H

#include "tgrmoe/context.h"

typedef struct tgr_list {
    tgr_context *context; /* set by the user, as is `size`; the rest starts as zero */
    size_t size;          /* bytes of an item */
    void *items;
    size_t count, capacity;
} tgr_list;

/* Makes sure that one more can be added. */
tgr_status tgr_list_reserve(tgr_list *list);
tgr_status tgr_list_add(tgr_list *list, const void *item);
void tgr_list_free(tgr_list *list);

static inline void *tgr_list_item(const tgr_list *list, size_t index) {
    return (char *)list->items + index * list->size;
}

/* Sorts in place, in n log n steps whatever the order, without memory of its own (the C library's qsort may take some).
 * Items for which `compare` gives 0 end up in any order. */
void tgr_sort(void *items, size_t count, size_t size, int (*compare)(const void *a, const void *b));

#endif

/* SPDX-License-Identifier: MIT */
/* A growing array, and heapsort. */
#include "safetensors/list.h"

#include <string.h>

#include "base/memory.h"
#include "base/status.h"

#define FIRST_CAPACITY 8

tgr_status tgr_list_reserve(tgr_list *list) {
    if (list->count < list->capacity) return TGR_OK;
    const size_t capacity = list->capacity == 0 ? FIRST_CAPACITY : 2 * list->capacity;
    void *items = NULL;
    TGR_TRY(tgr_allocate(list->context, &items, capacity, list->size));
    if (list->count > 0) memcpy(items, list->items, list->count * list->size);
    tgr_release(list->context, list->items, list->capacity, list->size);
    list->items = items;
    list->capacity = capacity;
    return TGR_OK;
}

tgr_status tgr_list_add(tgr_list *list, const void *item) {
    TGR_TRY(tgr_list_reserve(list));
    memcpy(tgr_list_item(list, list->count++), item, list->size);
    return TGR_OK;
}

void tgr_list_free(tgr_list *list) {
    tgr_release(list->context, list->items, list->capacity, list->size);
    list->items = NULL;
    list->count = list->capacity = 0;
}

static void swap(char *a, char *b, size_t size) {
    char kept[64];
    for (size_t done = 0, some; done < size; done += some) {
        some = size - done < sizeof kept ? size - done : sizeof kept;
        memcpy(kept, a + done, some);
        memcpy(a + done, b + done, some);
        memcpy(b + done, kept, some);
    }
}

/* Moves the item at `root` down until no child is larger; the heap is items[0, count). */
static void sink(char *items, size_t root, size_t count, size_t size, int (*compare)(const void *, const void *)) {
    for (size_t child; (child = 2 * root + 1) < count; root = child) {
        if (child + 1 < count && compare(items + child * size, items + (child + 1) * size) < 0) child++;
        if (compare(items + root * size, items + child * size) >= 0) return;
        swap(items + root * size, items + child * size, size);
    }
}

void tgr_sort(void *items, size_t count, size_t size, int (*compare)(const void *a, const void *b)) {
    for (size_t root = count / 2; root-- > 0;) sink(items, root, count, size, compare);
    for (size_t left = count; left-- > 1;) {
        swap(items, (char *)items + left * size, size);
        sink(items, 0, left, size, compare);
    }
}

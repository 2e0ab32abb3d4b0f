/* SPDX-License-Identifier: MIT */
/* Finds the items of a list by name. Sorted, not hashed: a hostile file cannot make it slow. */
#ifndef TGR_SAFETENSORS_NAME_INDEX_H
#define TGR_SAFETENSORS_NAME_INDEX_H

#include "safetensors/list.h"

typedef struct tgr_named {
    const char *name;
    int64_t index;
} tgr_named;

typedef struct tgr_name_index {
    tgr_context *context;
    tgr_named *sorted; /* [count], by the bytes of their names */
    size_t count;
} tgr_name_index;

/* `list` holds structs whose first field is the name, a `const char *` that stays valid. */
tgr_status tgr_name_index_build(tgr_name_index *names, const tgr_list *list);
/* A name that occurs twice, or NULL. */
const char *tgr_name_index_twice(const tgr_name_index *names);
/* The index of `name` in the list, or -1. */
int64_t tgr_name_index_find(const tgr_name_index *names, const char *name);
void tgr_name_index_free(tgr_name_index *names);

#endif

/* SPDX-License-Identifier: MIT */
/* A list of names, which it owns. */
#ifndef TOOL_DATA_NAME_LIST_H
#define TOOL_DATA_NAME_LIST_H

#include <stdint.h>

typedef struct name_list {
    char **names; /* [count] */
    int64_t count;
} name_list;

int name_list_add(name_list *list, const char *name);
int name_list_copy(name_list *out, const name_list *from);
int64_t name_list_find(const name_list *in, const char *name); /* in a sorted list; -1 if it is not there */
void name_list_free(name_list *list);

#endif

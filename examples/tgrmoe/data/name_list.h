/* SPDX-License-Identifier: MIT */
/* A list of names, which it owns. */
#ifndef TOOL_DATA_NAME_LIST_H
#define TOOL_DATA_NAME_LIST_H

#include <stdint.h>

typedef struct name_list {
    char **names; /* [count] */
    int64_t count;
    int unsorted; /* 1: not in the order of their bytes */
} name_list;

int name_list_add(name_list *list, const char *name);
int name_list_copy(name_list *out, const name_list *from);
int64_t name_list_find(const name_list *in, const char *name); /* -1: it is not there */
/* Fails when a name is there twice; `where` begins the message. */
int name_list_check_single(const name_list *list, const char *where);
void name_list_free(name_list *list);

#endif

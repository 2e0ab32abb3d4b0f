/* SPDX-License-Identifier: MIT */
/* The capacity of a list is its count rounded up to a power of two. */
#include "data/name_list.h"

#include <stdlib.h>
#include <string.h>

#include "failure.h"

int name_list_add(name_list *list, const char *name) {
    char **names = list->names;
    if ((list->count & (list->count - 1)) == 0) { /* full */
        names = realloc(names, (size_t)(list->count ? 2 * list->count : 1) * sizeof *names);
        if (!names) return fail_with("no memory for the names of files");
        list->names = names;
    }
    names[list->count] = strdup(name);
    if (!names[list->count]) return fail_with("no memory for the names of files");
    list->count++;
    return 0;
}

int name_list_copy(name_list *out, const name_list *from) {
    int result = 0;
    name_list copy = {0};
    for (int64_t i = 0; i < from->count; i++) TRY(name_list_add(&copy, from->names[i]));
    *out = copy;
    copy = (name_list){0};
done:
    name_list_free(&copy);
    return result;
}

int64_t name_list_find(const name_list *in, const char *name) {
    for (int64_t low = 0, high = in->count; low < high;) {
        const int64_t middle = (low + high) / 2;
        const int order = strcmp(name, in->names[middle]);
        if (order == 0) return middle;
        if (order < 0) high = middle;
        if (order > 0) low = middle + 1;
    }
    return -1;
}

void name_list_free(name_list *list) {
    for (int64_t i = 0; i < list->count; i++) free(list->names[i]);
    free(list->names);
    *list = (name_list){0};
}

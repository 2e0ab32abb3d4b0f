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
    if (list->count > 0 && strcmp(names[list->count - 1], name) > 0) list->unsorted = 1;
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

static int64_t find_anywhere(const name_list *in, const char *name) {
    for (int64_t i = 0; i < in->count; i++) {
        if (strcmp(in->names[i], name) == 0) return i;
    }
    return -1;
}

int64_t name_list_find(const name_list *in, const char *name) {
    if (in->unsorted) return find_anywhere(in, name);
    for (int64_t low = 0, high = in->count; low < high;) {
        const int64_t middle = (low + high) / 2;
        const int order = strcmp(name, in->names[middle]);
        if (order == 0) return middle;
        if (order < 0) high = middle;
        if (order > 0) low = middle + 1;
    }
    return -1;
}

static int compare_names(const void *a, const void *b) {
    return strcmp(*(char *const *)a, *(char *const *)b);
}

int name_list_check_single(const name_list *list, const char *where) {
    int result = 0;
    const size_t count = (size_t)list->count;
    char **sorted = malloc((count ? count : 1) * sizeof *sorted);
    if (!sorted) return fail_with("no memory for %zu names", count);
    for (size_t i = 0; i < count; i++) sorted[i] = list->names[i];
    if (count > 1) qsort(sorted, count, sizeof *sorted, compare_names);
    for (size_t i = 1; i < count && result == 0; i++) {
        if (strcmp(sorted[i - 1], sorted[i]) == 0)
            result = fail_with("%s: class '%s' is there twice", where, sorted[i]);
    }
    free(sorted);
    return result;
}

void name_list_free(name_list *list) {
    for (int64_t i = 0; i < list->count; i++) free(list->names[i]);
    free(list->names);
    *list = (name_list){0};
}

/* SPDX-License-Identifier: MIT */
/* Natural order is that of timm's natural_key: the name in small letters, cut into digits and what is between them;
 * digits compare as numbers. */
#include "data/class_order.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "failure.h"

static int is_digit(char byte) {
    return byte >= '0' && byte <= '9';
}

static int small(char byte) {
    return (unsigned char)(byte >= 'A' && byte <= 'Z' ? byte - 'A' + 'a' : byte);
}

/* Two runs of digits as numbers of any length; both texts move behind them. */
static int compare_numbers(const char **a, const char **b) {
    size_t count[2];
    const char **texts[] = {a, b};
    for (int i = 0; i < 2; i++) {
        while (**texts[i] == '0' && is_digit((*texts[i])[1])) ++*texts[i];
        for (count[i] = 0; is_digit((*texts[i])[count[i]]);) count[i]++;
    }
    const int order = count[0] == count[1] ? memcmp(*a, *b, count[0]) : count[0] < count[1] ? -1 : 1;
    *a += count[0];
    *b += count[1];
    return order;
}

/* Letters up to the next digit; a text that ends comes first, and so does one where digits begin. */
static int compare_letters(const char **a, const char **b) {
    while (**a && **b && !is_digit(**a) && !is_digit(**b)) {
        if (small(**a) != small(**b)) return small(**a) < small(**b) ? -1 : 1;
        ++*a;
        ++*b;
    }
    const int more_a = **a && !is_digit(**a), more_b = **b && !is_digit(**b);
    return more_a - more_b;
}

static int compare_naturally(const char *a, const char *b) {
    for (;;) {
        int order = compare_letters(&a, &b);
        if (order != 0) return order;
        if (!*a || !*b) return (*a != '\0') - (*b != '\0');
        order = compare_numbers(&a, &b);
        if (order != 0) return order;
    }
}

static int by_bytes(const void *a, const void *b) {
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static int by_nature(const void *a, const void *b) {
    return compare_naturally(*(char *const *)a, *(char *const *)b);
}

static int check_natural(const name_list *names) {
    for (int64_t i = 0; i < names->count; i++) {
        for (const char *at = names->names[i]; *at; at++) {
            if ((unsigned char)*at < 0x80) continue;
            return fail_with(
                "class '%s': natural order is not known here for letters beyond ASCII; give the classes as a "
                "list, --class-order FILE",
                names->names[i]);
        }
        if (i == 0 || compare_naturally(names->names[i - 1], names->names[i]) != 0) continue;
        return fail_with("classes '%s' and '%s' have no order in timm; give the classes as a list, --class-order FILE",
                         names->names[i - 1], names->names[i]);
    }
    return 0;
}

int class_order_sort(name_list *names, class_order order) {
    if (names->count > 1) {
        qsort(names->names, (size_t)names->count, sizeof *names->names,
              order == CLASS_ORDER_NATURAL ? by_nature : by_bytes);
    }
    names->unsorted = order == CLASS_ORDER_NATURAL;
    return order == CLASS_ORDER_NATURAL ? check_natural(names) : 0;
}

int class_order_matters(const name_list *names, int *matters) {
    int result = 0;
    name_list copy = {0};
    TRY(name_list_copy(&copy, names));
    *matters = class_order_sort(&copy, CLASS_ORDER_NATURAL) != 0;
    for (int64_t i = 0; i < names->count && !*matters; i++) *matters = strcmp(copy.names[i], names->names[i]) != 0;
done:
    name_list_free(&copy);
    return result;
}

int class_order_read(name_list *out, const char *path) {
    int result = 0;
    char *line = NULL;
    size_t size = 0;
    ssize_t length;
    name_list names = {0};
    FILE *file = fopen(path, "r");
    if (!file) TRY(fail_with("%s: %s", path, strerror(errno)));
    while ((length = getline(&line, &size, file)) > 0) {
        line[strcspn(line, "\r\n")] = '\0';
        if (strlen(line) + 2 < (size_t)length)
            TRY(fail_with("%s: line %lld is no text", path, (long long)names.count + 1));
        if (*line == '\0') TRY(fail_with("%s: line %lld is empty", path, (long long)names.count + 1));
        TRY(name_list_add(&names, line));
    }
    if (ferror(file)) TRY(fail_with("%s: %s", path, strerror(errno)));
    if (names.count == 0) TRY(fail_with("%s: holds no names of classes", path));
    TRY(name_list_check_single(&names, path));
    *out = names;
    names = (name_list){0};
done:
    if (file) fclose(file);
    free(line);
    name_list_free(&names);
    return result;
}

/* SPDX-License-Identifier: MIT */
/* In which order the names of classes are numbered. timm sorts them as people count and without regard to case (apple,
 * class2, class10, Zebra), torchvision and this tool by their bytes (Zebra, apple, class10, class2). */
#ifndef TOOL_DATA_CLASS_ORDER_H
#define TOOL_DATA_CLASS_ORDER_H

#include "data/name_list.h"

typedef enum class_order { CLASS_ORDER_BYTES = 0, CLASS_ORDER_NATURAL = 1 } class_order;

/* Sorts the names. Natural order fails where timm itself has none: names that differ in case or in leading zeros alone;
 * and for letters beyond ASCII, whose case is not known here. */
int class_order_sort(name_list *names, class_order order);
/* Whether names in the order of their bytes would have other numbers in natural order, or ones that nobody knows. */
int class_order_matters(const name_list *names, int *matters);
/* A file with a name in each line, in the order of their labels. */
int class_order_read(name_list *out, const char *path);

#endif

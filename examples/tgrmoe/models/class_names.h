/* SPDX-License-Identifier: MIT */
/* The names of classes in a model's file, so that images get the labels of training, whatever folders exist. In a
 * checkpoint the part "classes" holds each name with its terminating zero; in safetensors the text "label_names" holds
 * one per line. */
#ifndef TOOL_MODELS_CLASS_NAMES_H
#define TOOL_MODELS_CLASS_NAMES_H

#include "data/name_list.h"

/* All names in one allocated block of `size` bytes. */
int class_names_pack(char **out, uint64_t *size, const name_list *names);
/* The allocated text for safetensors; NULL if there are no names, or one that cannot be a line of text. */
int class_names_text(char **out, const name_list *names);
/* From a file of either kind; `out` is empty if the file has no names. */
int class_names_load(name_list *out, const char *path);

#endif

/* SPDX-License-Identifier: MIT */
/* The names of classes in a model's file, so that images are labelled as they were in training, whatever folders there
 * are. In a checkpoint the part "classes" holds each name and a zero byte, in safetensors the text "label_names" holds
 * a line for each. */
#ifndef TOOL_MODELS_CLASS_NAMES_H
#define TOOL_MODELS_CLASS_NAMES_H

#include "data/name_list.h"

/* All names in one block of `size` bytes, to be freed. */
int class_names_pack(char **out, uint64_t *size, const name_list *names);
/* The text of safetensors, to be freed; NULL when there are no names, or one that can stand in no line of a text. */
int class_names_text(char **out, const name_list *names);
/* From a file of either kind: `out` is empty when there are no names in it. */
int class_names_load(name_list *out, const char *path);

#endif

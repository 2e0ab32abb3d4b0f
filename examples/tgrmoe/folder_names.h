/* SPDX-License-Identifier: MIT */
/* The names of classes in a checkpoint: its part "classes" holds each name and a zero byte. So images are labelled as
 * they were in training, whatever folders there are. */
#ifndef TOOL_FOLDER_NAMES_H
#define TOOL_FOLDER_NAMES_H

#include "folder.h"

/* All names in one block of `size` bytes, to be freed. */
int class_names_pack(char **out, uint64_t *size, const name_list *names);
/* From a checkpoint, or from any other file none: `out` is empty when there are no names in it. */
int class_names_load(name_list *out, const char *path);

#endif

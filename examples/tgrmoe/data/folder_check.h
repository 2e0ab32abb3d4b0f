/* SPDX-License-Identifier: MIT */
/* Looking at all files of a folder before they are needed, so that a damaged one is known at once. */
#ifndef TOOL_DATA_FOLDER_CHECK_H
#define TOOL_DATA_FOLDER_CHECK_H

#include "data/folder.h"

/* Looks at every file, on so many threads: whether it can be opened and begins as JPEG or PNG, or with `decode`
 * whether it can be decoded. `reasons` [count] becomes NULL, or what is wrong as allocated text. */
void image_files_check(const char *root, const folder_files *files, int decode, int threads, char **reasons);

#endif

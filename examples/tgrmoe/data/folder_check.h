/* SPDX-License-Identifier: MIT */
/* Checking all files of a folder before they are needed, so that a damaged one is reported at once. */
#ifndef TOOL_DATA_FOLDER_CHECK_H
#define TOOL_DATA_FOLDER_CHECK_H

#include "data/folder.h"

/* Checks on that many threads whether each file can be opened and begins like JPEG or PNG or, with `decode`, whether it
 * can be decoded. `reasons` [count] become NULL, or what is wrong as allocated text. */
void image_files_check(const char *root, const folder_files *files, int decode, int threads, char **reasons);

#endif

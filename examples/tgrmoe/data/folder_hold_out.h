/* SPDX-License-Identifier: MIT */
/* Which images of a class are held out from training. */
#ifndef TOOL_DATA_FOLDER_HOLD_OUT_H
#define TOOL_DATA_FOLDER_HOLD_OUT_H

#include "data/folder.h"

/* Moves a share of each class's images from `from` to `out`, at least one if there are two or more: those whose names
 * have the smallest hashes. So the same images are held out on every machine, and few change when images are added. */
int folder_hold_out(folder_files *out, folder_files *from, double share);

#endif

/* SPDX-License-Identifier: MIT */
/* What import and export have in common. */
#ifndef TOOL_COMMANDS_EXCHANGE_H
#define TOOL_COMMANDS_EXCHANGE_H

#include <tgrmoe/tgrmoe.h>

#include "arguments.h"
#include "data/name_list.h"
#include "images/preprocessing.h"

int exchange_context(tgr_context **out, const tool_arguments *arguments);
/* What the file in `path` says of images, else DeiT's preprocessing; the command line has the last word. *known: one of
 * them said something. */
int exchange_preprocessing(preprocessing *out, const char *path, const tool_arguments *arguments, int *known);
/* The names in the file, if they are of the model's classes; those of others, whose head is new then, are no use. */
int exchange_names(name_list *out, const char *path, tgr_model *model);
/* Prints a line about the model that was written to `path`. */
int exchange_summary(const char *path, tgr_model *model);

#endif

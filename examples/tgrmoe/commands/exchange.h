/* SPDX-License-Identifier: MIT */
/* What import and export have in common. */
#ifndef TOOL_COMMANDS_EXCHANGE_H
#define TOOL_COMMANDS_EXCHANGE_H

#include <tgrmoe/tgrmoe.h>

#include "arguments.h"
#include "data/name_list.h"

int exchange_context(tgr_context **out, const tool_arguments *arguments);
/* The names in the file, if they are of the model's classes; those of others, whose head is new then, are no use.
 * `list` NULL, or a file with other names, which must be as many. */
int exchange_names(name_list *out, const char *path, tgr_model *model, const char *list);
/* Prints a line about the model that was written to `path`. */
int exchange_summary(const char *path, tgr_model *model);

#endif

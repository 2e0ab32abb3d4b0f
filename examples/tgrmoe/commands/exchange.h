/* SPDX-License-Identifier: MIT */
/* What import and export have in common. */
#ifndef TOOL_COMMANDS_EXCHANGE_H
#define TOOL_COMMANDS_EXCHANGE_H

#include <tgrmoe/tgrmoe.h>

#include "arguments.h"
#include "data/name_list.h"
#include "images/preprocessing.h"

int exchange_context(tgr_context **out, const tool_arguments *arguments);
/* The preprocessing that the file in `path` states, or DeiT's, with the changes that flags make. *known: file or flags
 * say something about it. */
int exchange_preprocessing(preprocessing *out, const char *path, const tool_arguments *arguments, int *known);
/* The names of classes in the file; none if they are not as many as the model's classes, because its head is then
 * new. */
int exchange_names(name_list *out, const char *path, tgr_model *model);
/* Prints a line about the model that was written to `path`. */
int exchange_summary(const char *path, tgr_model *model);

#endif

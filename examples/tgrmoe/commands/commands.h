/* SPDX-License-Identifier: MIT */
/* The tool's commands; each returns 0, FAILURE or USAGE. */
#ifndef TOOL_COMMANDS_COMMANDS_H
#define TOOL_COMMANDS_COMMANDS_H

#include "arguments.h"

int command_train(const tool_arguments *arguments);
int command_finetune(const tool_arguments *arguments);
int command_eval(const tool_arguments *arguments);
int command_classify(const tool_arguments *arguments);
int command_info(const tool_arguments *arguments);
int command_options(const tool_arguments *arguments);
int command_compare(const tool_arguments *arguments);
int command_import(const tool_arguments *arguments);
int command_export(const tool_arguments *arguments);
int command_report(const tool_arguments *arguments);

/* The keys of --set, a line each, from the library's own table. */
int list_options(FILE *to);
/* Whether a method has a use for the option of that key. */
int option_applies(const char *key, const char *method);

#endif

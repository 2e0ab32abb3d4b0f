/* SPDX-License-Identifier: MIT */
/* tgrmoe options: the reference of options. */
#ifndef TOOL_COMMANDS_OPTIONS_H
#define TOOL_COMMANDS_OPTIONS_H

#include <stdio.h>

#include "arguments.h"

int command_options(const tool_arguments *arguments);
/* The keys of --set, a line each, from the library's own table. */
int list_options(FILE *to);
/* Whether a method has a use for the option of that key. */
int option_applies(const char *key, const char *method);

#endif

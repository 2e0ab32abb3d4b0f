/* SPDX-License-Identifier: MIT */
/* tgrmoe options: the list of all options. */
#ifndef TOOL_COMMANDS_OPTIONS_H
#define TOOL_COMMANDS_OPTIONS_H

#include <stdio.h>

#include "arguments.h"

int command_options(const tool_arguments *arguments);
/* Prints the keys of --set, one per line. */
int list_options(FILE *to);

#endif

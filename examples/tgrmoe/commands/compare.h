/* SPDX-License-Identifier: MIT */
/* tgrmoe compare: trains methods with several seeds and writes a report. */
#ifndef TOOL_COMMANDS_COMPARE_H
#define TOOL_COMMANDS_COMPARE_H

#include "arguments.h"

int command_compare(const tool_arguments *arguments);

#endif

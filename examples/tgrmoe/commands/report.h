/* SPDX-License-Identifier: MIT */
/* tgrmoe report: recorded runs side by side. */
#ifndef TOOL_COMMANDS_REPORT_H
#define TOOL_COMMANDS_REPORT_H

#include "arguments.h"

int command_report(const tool_arguments *arguments);

#endif

/* SPDX-License-Identifier: MIT */
/* tgrmoe info: what a file holds, a checkpoint or safetensors. */
#ifndef TOOL_COMMANDS_INFO_H
#define TOOL_COMMANDS_INFO_H

#include "arguments.h"

int command_info(const tool_arguments *arguments);

#endif

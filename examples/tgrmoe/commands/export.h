/* SPDX-License-Identifier: MIT */
/* tgrmoe export: from a model of either kind to safetensors. */
#ifndef TOOL_COMMANDS_EXPORT_H
#define TOOL_COMMANDS_EXPORT_H

#include "arguments.h"

int command_export(const tool_arguments *arguments);

#endif

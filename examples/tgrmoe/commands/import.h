/* SPDX-License-Identifier: MIT */
/* tgrmoe import: from safetensors to a checkpoint. */
#ifndef TOOL_COMMANDS_IMPORT_H
#define TOOL_COMMANDS_IMPORT_H

#include "arguments.h"

int command_import(const tool_arguments *arguments);

#endif

/* SPDX-License-Identifier: MIT */
/* tgrmoe finetune: training that starts from a pretrained model. */
#ifndef TOOL_COMMANDS_FINETUNE_H
#define TOOL_COMMANDS_FINETUNE_H

#include "arguments.h"

int command_finetune(const tool_arguments *arguments);

#endif

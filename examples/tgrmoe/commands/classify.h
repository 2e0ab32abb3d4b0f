/* SPDX-License-Identifier: MIT */
/* tgrmoe classify: what a saved model says of photographs. */
#ifndef TOOL_COMMANDS_CLASSIFY_H
#define TOOL_COMMANDS_CLASSIFY_H

#include "arguments.h"

int command_classify(const tool_arguments *arguments);

#endif

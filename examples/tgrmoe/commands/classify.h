/* SPDX-License-Identifier: MIT */
/* tgrmoe classify: names what photographs show, by a saved model. */
#ifndef TOOL_COMMANDS_CLASSIFY_H
#define TOOL_COMMANDS_CLASSIFY_H

#include "arguments.h"

int command_classify(const tool_arguments *arguments);

#endif

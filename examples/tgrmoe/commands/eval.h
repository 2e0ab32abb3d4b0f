/* SPDX-License-Identifier: MIT */
/* tgrmoe eval: a saved model on the test images. */
#ifndef TOOL_COMMANDS_EVAL_H
#define TOOL_COMMANDS_EVAL_H

#include "arguments.h"

int command_eval(const tool_arguments *arguments);

#endif

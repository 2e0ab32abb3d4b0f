/* SPDX-License-Identifier: MIT */
/* tgrmoe train: a model learns from images. */
#ifndef TOOL_COMMANDS_TRAIN_H
#define TOOL_COMMANDS_TRAIN_H

#include "arguments.h"
#include "progress.h"

int command_train(const tool_arguments *arguments);
/* The same as one training among others, which saves after each epoch too; `later` NULL: alone. */
int train_among(const tool_arguments *arguments, const later_trainings *later);

#endif

/* SPDX-License-Identifier: MIT */
/* tgrmoe train: trains a model on images. */
#ifndef TOOL_COMMANDS_TRAIN_H
#define TOOL_COMMANDS_TRAIN_H

#include "arguments.h"
#include "progress.h"

int command_train(const tool_arguments *arguments);
/* The same as one of several trainings: shows the total time left and saves after each epoch, too. `later` NULL: as
 * above. */
int train_among(const tool_arguments *arguments, const later_trainings *later);

#endif

/* SPDX-License-Identifier: MIT */
/* The command line of one run of a comparison. */
#ifndef TOOL_COMMANDS_COMPARE_COMMAND_H
#define TOOL_COMMANDS_COMPARE_COMMAND_H

#include "commands/compare_plan.h"

/* The texts that it points to. */
typedef struct run_paths {
    char model[COMPARE_PATH], json[COMPARE_PATH], teacher[COMPARE_PATH], init[COMPARE_PATH];
} run_paths;

/* The arguments of a run that starts from the beginning. They point into `paths` and `plan`. */
int compare_command(tool_arguments *out, run_paths *paths, const compare_plan *plan, int index);
/* Stores what determines the outcome with the run; fails if the run was begun with something else. */
int compare_command_keep(const compare_plan *plan, int index, const tool_arguments *arguments);

#endif

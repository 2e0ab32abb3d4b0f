/* SPDX-License-Identifier: MIT */
/* One run of a comparison. */
#ifndef TOOL_COMMANDS_COMPARE_RUN_H
#define TOOL_COMMANDS_COMPARE_RUN_H

#include "commands/compare_plan.h"

/* Trains or evaluates, from where it stopped if it was begun before; does nothing if it is done. */
int compare_run_execute(const compare_plan *plan, int index);

#endif

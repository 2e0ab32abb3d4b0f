/* SPDX-License-Identifier: MIT */
/* One run of a comparison. */
#ifndef TOOL_COMMANDS_COMPARE_RUN_H
#define TOOL_COMMANDS_COMPARE_RUN_H

#include "commands/compare_plan.h"

/* Trains or evaluates; resumes it if it was interrupted, does nothing if it is done. */
int compare_run_execute(const compare_plan *plan, int index);

#endif

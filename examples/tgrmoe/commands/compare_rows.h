/* SPDX-License-Identifier: MIT */
/* The rows of a comparison. */
#ifndef TOOL_COMMANDS_COMPARE_ROWS_H
#define TOOL_COMMANDS_COMPARE_ROWS_H

#include "commands/compare_plan.h"

/* From --methods, --sweep and --ablation. Free the plan even if this fails. */
int compare_plan_make(compare_plan *plan, const tool_arguments *arguments);

#endif

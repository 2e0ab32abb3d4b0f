/* SPDX-License-Identifier: MIT */
/* The TGR-MoE paper's own ablations (Kada et al., CVPR 2026), by name. */
#ifndef TOOL_COMMANDS_COMPARE_ABLATION_H
#define TOOL_COMMANDS_COMPARE_ABLATION_H

#include <stddef.h>

#include "commands/compare_plan.h"

/* Adds the rows of one name of --ablation. */
int compare_add_ablation(compare_plan *plan, const char *name, size_t length);

#endif

/* SPDX-License-Identifier: MIT */
/* The state of a run that has not begun. */
#ifndef TOOL_RUN_FRESH_STATE_H
#define TOOL_RUN_FRESH_STATE_H

#include "run/run.h"

/* From the flags and the data; finds out how images are prepared, too. */
int run_fresh_state(tool_run *run);

#endif

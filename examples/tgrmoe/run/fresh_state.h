/* SPDX-License-Identifier: MIT */
/* The state of a run before its first step. */
#ifndef TOOL_RUN_FRESH_STATE_H
#define TOOL_RUN_FRESH_STATE_H

#include "run/run.h"

/* From the flags and the data. Also determines how images are prepared. */
int run_fresh_state(tool_run *run);

#endif

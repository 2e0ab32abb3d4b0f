/* SPDX-License-Identifier: MIT */
/* Opening a run: from the start, or where a saved one paused. */
#ifndef TOOL_RUN_OPEN_H
#define TOOL_RUN_OPEN_H

#include "run/run.h"

/* A run from the start, or one that goes on from arguments->resume. Close it in either case. */
int run_open(tool_run *run, const tool_arguments *arguments);
void run_close(tool_run *run);

#endif

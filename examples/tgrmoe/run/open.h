/* SPDX-License-Identifier: MIT */
/* Opening a run: a fresh one, or a saved one where it was paused. */
#ifndef TOOL_RUN_OPEN_H
#define TOOL_RUN_OPEN_H

#include "run/run.h"

/* A fresh run, or one resumed from arguments->resume. Close it even if this fails. */
int run_open(tool_run *run, const tool_arguments *arguments);
void run_close(tool_run *run);

#endif

/* SPDX-License-Identifier: MIT */
/* The run as a file. */
#ifndef TOOL_RUN_STATE_H
#define TOOL_RUN_STATE_H

#include "run/run.h"

int state_save(tool_run *run, const char *path);
/* Fills model, optimizer, teacher routers, state and probe. */
int state_load(tool_run *run, const char *path);

#endif

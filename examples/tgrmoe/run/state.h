/* SPDX-License-Identifier: MIT */
/* A run as a checkpoint. */
#ifndef TOOL_RUN_STATE_H
#define TOOL_RUN_STATE_H

#include "run/run.h"

int state_save(tool_run *run, const char *path);
/* Restores model, optimizer, teacher routers, state and probe. */
int state_load(tool_run *run, const char *path);

#endif

/* SPDX-License-Identifier: MIT */
/* Whether a run goes on with the settings, the data and the teacher that it was started with. */
#ifndef TOOL_RUN_SAME_SETTINGS_H
#define TOOL_RUN_SAME_SETTINGS_H

#include "run/run.h"

/* Fails when a setting on the command line, or the data, differ from those of the saved run. */
int state_check(const tool_run *run);

#endif

/* SPDX-License-Identifier: MIT */
/* Whether a run is resumed with the settings, the data and the teacher that it was started with. */
#ifndef TOOL_RUN_SAME_SETTINGS_H
#define TOOL_RUN_SAME_SETTINGS_H

#include "run/run.h"

/* Fails if a setting on the command line, the data or the teacher differs from the saved run's. */
int state_check(const tool_run *run);

#endif

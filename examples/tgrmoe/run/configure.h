/* SPDX-License-Identifier: MIT */
/* The options of a new model. */
#ifndef TOOL_RUN_CONFIGURE_H
#define TOOL_RUN_CONFIGURE_H

#include "run/run.h"

/* Creates the config: what the user set, completed from the data and the plan of training. */
int run_configure(tool_run *run, tgr_config **out);

#endif

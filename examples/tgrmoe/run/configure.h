/* SPDX-License-Identifier: MIT */
/* The options of a fresh model. */
#ifndef TOOL_RUN_CONFIGURE_H
#define TOOL_RUN_CONFIGURE_H

#include "run/run.h"

/* What the user set, then what data and plan of training suggest. */
int run_configure(tool_run *run, tgr_config **out);

#endif

/* SPDX-License-Identifier: MIT */
/* Sparse upcycling (--init with upcycle=1). */
#ifndef TOOL_RUN_INITIAL_UPCYCLE_H
#define TOOL_RUN_INITIAL_UPCYCLE_H

#include "run/run.h"

/* Makes the model from the dense one in `path`. */
int run_upcycle(tool_run *run, const char *path);
/* Makes the optimizer's moments from those in `path`. */
int run_take_moments(tool_run *run, const char *path);

#endif

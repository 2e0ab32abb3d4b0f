/* SPDX-License-Identifier: MIT */
/* Starting from another model's weights (--init). */
#ifndef TOOL_RUN_INITIAL_H
#define TOOL_RUN_INITIAL_H

#include "run/run.h"

/* Copies weights of the same name and shape from the model in `path`, and says which ones; with upcycle=1, makes the
 * whole model from the dense one in `path`. */
int run_take_weights(tool_run *run, const char *path);

#endif

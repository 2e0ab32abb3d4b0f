/* SPDX-License-Identifier: MIT */
/* Teacher routers from a file (--init with --teacher). */
#ifndef TOOL_RUN_INITIAL_TEACHER_H
#define TOOL_RUN_INITIAL_TEACHER_H

#include "run/run.h"

/* Copies those of the same shape from the checkpoint in `path`, if it has any. */
int run_take_teacher(tool_run *run, const char *path);

#endif

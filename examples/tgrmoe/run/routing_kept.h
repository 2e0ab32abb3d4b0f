/* SPDX-License-Identifier: MIT */
/* How much of a model's routing training has preserved. */
#ifndef TOOL_RUN_ROUTING_KEPT_H
#define TOOL_RUN_ROUTING_KEPT_H

#include <stdio.h>

#include "run/run.h"

/* Prints which share of the probe's tokens still goes to the same expert as before training, or as after the first
 * epoch if the routers were new. Prints nothing if there is nothing to compare with. */
int print_kept(const tool_run *run, FILE *to);

#endif

/* SPDX-License-Identifier: MIT */
/* How much of a model's routing is still there when training has ended. */
#ifndef TOOL_RUN_ROUTING_KEPT_H
#define TOOL_RUN_ROUTING_KEPT_H

#include <stdio.h>

#include "run/run.h"

/* A line about the probe's tokens that go to the expert that they went to before training, or after its first epoch if
 * the routers were new; none when there is nothing to compare with. */
int print_kept(const tool_run *run, FILE *to);

#endif

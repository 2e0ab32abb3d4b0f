/* SPDX-License-Identifier: MIT */
/* The runs that a comparison needs, in an order in which teachers and starting points come before the runs that use
 * them. */
#ifndef TOOL_COMMANDS_COMPARE_PLAN_H
#define TOOL_COMMANDS_COMPARE_PLAN_H

#include "arguments.h"
#include "commands/compare_subject.h"
#include "report/comparison.h"

typedef struct compare_run {
    compare_subject subject;
    int64_t seed;
    int teacher, init; /* index of the run whose model it is, or -1 */
    int model_needed;  /* by another run */
} compare_run;

typedef struct compare_plan {
    const tool_arguments *arguments;
    int64_t classes, experts, depth; /* of the data; of the models, outside a sweep */
    comparison compared;             /* as the report sees it */
    compare_run *runs;               /* [compared.run_count] */
} compare_plan;

/* Appends a row, and those runs that it needs and that do not exist yet. */
int compare_plan_add(compare_plan *plan, const char *section, const char *label, const compare_subject *subject,
                     int64_t experts);
void compare_plan_free(compare_plan *plan);

#endif

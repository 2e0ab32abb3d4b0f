/* SPDX-License-Identifier: MIT */
/* A training run: its data, its model with everything that trains it, and how far it is. */
#ifndef TOOL_RUN_RUN_H
#define TOOL_RUN_RUN_H

#include <tgrmoe/tgrmoe.h>

#include "arguments.h"
#include "data/dataset.h"
#include "images/preprocessing.h"
#include "models/run_state.h"

typedef struct tool_run {
    const tool_arguments *arguments;
    dataset data;
    preprocessing images; /* grey images use the first mean and deviation */
    char *class_names; /* packed as in the run's file (models/class_names.h); NULL unless the data is a folder of images
                        */
    uint64_t class_names_size;
    tgr_context *context;
    tgr_model *model, *backbone; /* backbone: the teacher's */
    tgr_teacher *teacher;        /* NULL without --teacher */
    tgr_loss *loss;
    tgr_optimizer *optimizer;
    tgr_probe *probe; /* NULL for a model without MoE layers */
    run_state state;
    int64_t steps_per_epoch, end_step;
} tool_run;

#endif

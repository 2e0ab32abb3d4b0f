/* SPDX-License-Identifier: MIT */
/* A training run: its data, its model with all that trains it, and where it stands. */
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
    preprocessing images; /* of its mean and deviation, grey images have the first */
    char *class_names;    /* as the run's file holds them (models/class_names.h); NULL without folders of images */
    uint64_t class_names_size;
    tgr_context *context;
    tgr_model *model, *backbone; /* backbone: of the teacher */
    tgr_teacher *teacher;        /* NULL unless the method is tgr */
    tgr_loss *loss;
    tgr_optimizer *optimizer;
    tgr_probe *probe; /* NULL for a model without MoE layers */
    run_state state;
    int64_t steps_per_epoch, end_step;
} tool_run;

#endif

/* SPDX-License-Identifier: MIT */
/* Experts from a dense model's FFNs, and their optimizer's moments. */
#include "run/initial_upcycle.h"

#include <stdio.h>

#include "failure.h"
#include "models/file.h"
#include "models/fitted.h"
#include "models/part.h"

int run_upcycle(tool_run *run, const char *path) {
    int result = 0;
    tgr_model *dense = NULL;
    TRY(model_file_open_like(&dense, run->context, path, run->model));
    LIBRARY(tgr_model_upcycle(run->model, dense));
    fprintf(stderr, "init: every expert starts as the FFN in %s\n", path);
done:
    tgr_model_free(dense);
    return result;
}

int run_take_moments(tool_run *run, const char *path) {
    int result = 0, safetensors = 0;
    tgr_model *dense = NULL;
    tgr_optimizer *optimizer = NULL;
    tgr_checkpoint *file = NULL;
    TRY(model_file_is_safetensors(path, &safetensors));
    if (safetensors) TRY(fail_with("--init-optimizer: %s is a safetensors file, which holds no moments", path));
    LIBRARY(tgr_model_load(&dense, run->context, path, PART_MODEL));
    const tgr_config *config = tgr_model_config(dense);
    tgr_parameters *parameters = tgr_model_parameters(dense);
    LIBRARY(tgr_optimizer_create(&optimizer, config, parameters));
    LIBRARY(tgr_checkpoint_create(&file, run->context));
    LIBRARY(tgr_checkpoint_add_optimizer(file, PART_OPTIMIZER, optimizer));
    LIBRARY(tgr_checkpoint_load(file, path));
    LIBRARY(tgr_optimizer_upcycle(run->optimizer, optimizer));
    fprintf(stderr, "init: the optimizer's moments are those in %s\n", path);
done:
    tgr_checkpoint_free(file);
    tgr_optimizer_free(optimizer);
    tgr_model_free(dense);
    return result;
}

/* SPDX-License-Identifier: MIT */
/* Saving and loading register the same parts. */
#include "run/state.h"

#include "failure.h"
#include "models/part.h"

/* Registers everything that a run consists of. */
static int register_parts(tool_run *run, tgr_checkpoint *file) {
    int result = 0;
    run_state *state = &run->state;
    preprocessing *images = &run->images;
    void *history = NULL;
    uint64_t size = 0;
    LIBRARY(tgr_checkpoint_add_model(file, PART_MODEL, run->model));
    LIBRARY(tgr_checkpoint_add_optimizer(file, PART_OPTIMIZER, run->optimizer));
    if (run->teacher) LIBRARY(tgr_checkpoint_add_teacher(file, PART_TEACHER, run->teacher));
    LIBRARY(tgr_checkpoint_add_bytes(file, PART_RUN, state, sizeof *state));
    if (run->data.train.root) {
        LIBRARY(tgr_checkpoint_add_bytes(file, PART_PREPROCESSING, images, sizeof *images));
        LIBRARY(tgr_checkpoint_add_bytes(file, PART_CLASSES, run->class_names, run->class_names_size));
    }
    if (run->probe) LIBRARY(tgr_probe_history(run->probe, &history, &size));
    if (size > 0) LIBRARY(tgr_checkpoint_add_bytes(file, PART_PROBE, history, size));
done:
    return result;
}

int state_save(tool_run *run, const char *path) {
    int result = 0;
    tgr_checkpoint *file = NULL;
    if (run->probe) run->state.probe_runs = tgr_probe_run_count(run->probe);
    LIBRARY(tgr_checkpoint_create(&file, run->context));
    TRY(register_parts(run, file));
    LIBRARY(tgr_checkpoint_save(file, path));
done:
    tgr_checkpoint_free(file);
    return result;
}

/* Each run that was recorded takes more than a byte: no memory is taken for more than the file can hold. */
static int check_probe_runs(const tool_run *run, const char *path) {
    int result = 0;
    uint64_t size = 0;
    TRY(part_size(&size, path, PART_PROBE));
    if ((uint64_t)run->state.probe_runs > size) {
        TRY(fail_with("%s: its routing is of %lld runs; the file has %llu bytes of it", path,
                      (long long)run->state.probe_runs, (unsigned long long)size));
    }
done:
    return result;
}

int state_load(tool_run *run, const char *path) {
    int result = 0;
    tgr_checkpoint *file = NULL;
    TRY(check_probe_runs(run, path));
    if (run->probe) LIBRARY(tgr_probe_resize(run->probe, run->state.probe_runs));
    LIBRARY(tgr_checkpoint_create(&file, run->context));
    TRY(register_parts(run, file));
    LIBRARY(tgr_checkpoint_load(file, path));
done:
    tgr_checkpoint_free(file);
    return result;
}

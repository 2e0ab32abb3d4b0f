/* SPDX-License-Identifier: MIT */
/* A run as a file. */
#include "failure.h"
#include "run/augmentation.h"
#include "run/run.h"

/* Registers what a run consists of. */
static int register_parts(tool_session *session, tgr_checkpoint *file) {
    int result = 0;
    run_state *state = &session->state;
    preprocessing *images = &session->images;
    void *history = NULL;
    uint64_t size = 0;
    LIBRARY(tgr_checkpoint_add_model(file, "model", session->model));
    LIBRARY(tgr_checkpoint_add_optimizer(file, "optimizer", session->optimizer));
    if (session->teacher) LIBRARY(tgr_checkpoint_add_teacher(file, "teacher", session->teacher));
    LIBRARY(tgr_checkpoint_add_bytes(file, "host", state, sizeof *state));
    if (session->data.train.root) {
        LIBRARY(tgr_checkpoint_add_bytes(file, "preprocessing", images, sizeof *images));
        LIBRARY(tgr_checkpoint_add_bytes(file, "classes", session->class_names, session->class_names_size));
    }
    if (session->probe) LIBRARY(tgr_probe_history(session->probe, &history, &size));
    if (size > 0) LIBRARY(tgr_checkpoint_add_bytes(file, "probe", history, size));
done:
    return result;
}

int state_save(tool_session *session, const char *path) {
    int result = 0;
    tgr_checkpoint *file = NULL;
    if (session->probe) LIBRARY(tgr_probe_runs(session->probe, &session->state.probe_runs));
    LIBRARY(tgr_checkpoint_create(&file, session->context));
    TRY(register_parts(session, file));
    LIBRARY(tgr_checkpoint_save(file, path));
done:
    tgr_checkpoint_free(file);
    return result;
}

int state_peek(run_state *state, const char *path) {
    int result = 0;
    run_state found = {0};
    tgr_context *context = NULL;
    tgr_checkpoint *file = NULL;
    const tgr_context_options options = {.struct_size = sizeof options, .threads = 1};
    LIBRARY(tgr_context_create(&context, &options));
    LIBRARY(tgr_checkpoint_create(&file, context));
    LIBRARY(tgr_checkpoint_add_bytes(file, "host", &found, sizeof found));
    LIBRARY(tgr_checkpoint_load(file, path));
    if (found.version != RUN_STATE_VERSION || found.batch < 1 || found.images < 1 || found.step < 0 ||
        found.probe_runs < 0 || found.first_run < 0 || found.first_run > 1 || !augment_recipe_valid(&found.augment)) {
        TRY(fail_with("%s: its part \"host\" was not written by this version of the tool", path));
    }
    *state = found;
done:
    tgr_checkpoint_free(file);
    tgr_context_free(context);
    return result;
}

int state_load(tool_session *session, const char *path) {
    int result = 0;
    tgr_checkpoint *file = NULL;
    if (session->probe) LIBRARY(tgr_probe_resize(session->probe, session->state.probe_runs));
    LIBRARY(tgr_checkpoint_create(&file, session->context));
    TRY(register_parts(session, file));
    LIBRARY(tgr_checkpoint_load(file, path));
done:
    tgr_checkpoint_free(file);
    return result;
}

/* SPDX-License-Identifier: MIT */
/* A run as a file. */
#include <stdlib.h>

#include "failure.h"
#include "session.h"

/* Registers what a run consists of. */
static int register_parts(tool_session *session, tgr_checkpoint *file) {
    int result = 0;
    run_state *state = &session->state;
    const int64_t choices = state->history_epochs * state->history_choices;
    LIBRARY(tgr_checkpoint_add_model(file, "model", session->model));
    LIBRARY(tgr_checkpoint_add_optimizer(file, "optimizer", session->optimizer));
    if (session->teacher) LIBRARY(tgr_checkpoint_add_teacher(file, "teacher", session->teacher));
    LIBRARY(tgr_checkpoint_add_bytes(file, "host", state, sizeof *state));
    if (choices > 0) {
        uint16_t *experts = session->history.experts;
        LIBRARY(tgr_checkpoint_add_bytes(file, "history", experts, (uint64_t)choices * sizeof *experts));
    }
done:
    return result;
}

int state_save(tool_session *session, const char *path) {
    int result = 0;
    tgr_checkpoint *file = NULL;
    session->state.history_epochs = session->history.epochs;
    session->state.history_choices = session->history.choices;
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
        found.history_epochs < 0 || found.history_choices < 0 ||
        (found.history_choices > 0 && found.history_epochs > (INT64_C(1) << 40) / found.history_choices)) {
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
    const run_state *state = &session->state;
    const size_t choices = (size_t)(state->history_epochs * state->history_choices);
    session->history =
        (tool_history){state->history_epochs, state->history_choices, calloc(choices + 1, sizeof(uint16_t))};
    if (!session->history.experts) TRY(fail_with("no memory for the history of routing in %s", path));
    LIBRARY(tgr_checkpoint_create(&file, session->context));
    TRY(register_parts(session, file));
    LIBRARY(tgr_checkpoint_load(file, path));
done:
    tgr_checkpoint_free(file);
    return result;
}

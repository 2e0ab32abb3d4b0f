/* SPDX-License-Identifier: MIT */
/* The state is looked at before it is believed. */
#include "models/run_state.h"

#include <tgrmoe/tgrmoe.h>

#include "augment/presets.h"
#include "failure.h"

int run_state_read(run_state *state, const char *path) {
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

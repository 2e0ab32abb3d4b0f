/* SPDX-License-Identifier: MIT */
/* The state is checked before it is trusted. */
#include "models/run_state.h"

#include "augment/presets.h"
#include "failure.h"
#include "models/part.h"

int run_state_read(run_state *state, const char *path) {
    int result = 0;
    run_state found = {0};
    TRY(part_load(&found, sizeof found, path, PART_RUN));
    if (found.version != RUN_STATE_VERSION || found.batch < 1 || found.images < 1 || found.step < 0 ||
        found.probe_runs < 0 || found.first_run < 0 || found.first_run > 1 || !augment_recipe_valid(&found.augment)) {
        TRY(fail_with("%s: its part \"host\" was not written by this version of the tool", path));
    }
    *state = found;
done:
    return result;
}

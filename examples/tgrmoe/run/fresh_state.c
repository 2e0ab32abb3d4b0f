/* SPDX-License-Identifier: MIT */
/* What the command line leaves open is settled here, once and for all, however often the run is paused. */
#include "run/fresh_state.h"

#include <string.h>

#include "data/load.h"
#include "failure.h"
#include "run/augmentation.h"
#include "run/images.h"

enum { DEFAULT_BATCH = 128, DEFAULT_SEED = 1, DEFAULT_PROBE = 1000, SHIFTED_SIZE_MOST = 32 };

/* How bytes are normalised. Photographs are prepared as for the model that the run starts from. */
static int start_statistics(tool_run *run) {
    int result = 0;
    const tool_arguments *arguments = run->arguments;
    const image_set *train = &run->data.train;
    run_state *state = &run->state;
    preprocessing_defaults(&run->images);
    dataset_statistics(run->data.kind, state->mean, state->deviation);
    if (train->root) {
        TRY(run_find_preprocessing(run));
        memcpy(state->mean, run->images.mean, sizeof state->mean);
        memcpy(state->deviation, run->images.deviation, sizeof state->deviation);
        goto done;
    }
    if (arguments->mean) TRY(arguments_numbers("mean", arguments->mean, train->channels, state->mean));
    if (arguments->deviation) TRY(arguments_numbers("std", arguments->deviation, train->channels, state->deviation));
    for (int64_t i = 0; i < train->channels; i++) {
        if (!(state->deviation[i] > 0)) TRY(fail_usage("--std is %s; it must be above 0", arguments->deviation));
    }
    memcpy(run->images.mean, state->mean, sizeof state->mean);
    memcpy(run->images.deviation, state->deviation, sizeof state->deviation);
done:
    return result;
}

int run_fresh_state(tool_run *run) {
    int result = 0;
    const tool_arguments *arguments = run->arguments;
    const dataset *data = &run->data;
    run_state *state = &run->state;
    const int64_t probe = arguments->probe == UNSET ? DEFAULT_PROBE : arguments->probe;
    state->version = RUN_STATE_VERSION;
    state->seed = arguments->seed == UNSET ? DEFAULT_SEED : arguments->seed;
    state->batch = arguments->batch == UNSET ? DEFAULT_BATCH : arguments->batch;
    state->images = data->train.count;
    state->shuffle = !arguments->no_shuffle;
    state->probe = probe < data->test.count ? probe : data->test.count;
    state->kind = data->kind;
    state->train_checksum = image_set_checksum(&data->train);
    state->test_checksum = image_set_checksum(&data->test);
    TRY(start_statistics(run));
    TRY(augment_options_read(&state->augment, arguments, !data->train.root && data->train.size <= SHIFTED_SIZE_MOST,
                             state->mean, data->train.channels));
done:
    return result;
}

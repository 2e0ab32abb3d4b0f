/* SPDX-License-Identifier: MIT */
/* The state of a training run, as its checkpoint holds it under the name "host". */
#ifndef TOOL_MODELS_RUN_STATE_H
#define TOOL_MODELS_RUN_STATE_H

#include "augment/recipe.h"
#include "data/image_set.h"

/* The terms of the loss that are logged for each epoch, by the library's names. */
#define LOSS_TERMS "task", "distill", "teacher", "aux"
enum { LOSS_TERM_COUNT = 4 };

/* Nothing in it may depend on time, on threads or on where the run was paused: a resumed run must end with the same
 * bytes. All fields have 8 bytes, so there is no padding. */
typedef struct run_state {
    int64_t version;
    int64_t seed, batch, images, shuffle, probe; /* settings that a resumed run must share */
    int64_t kind, train_checksum, test_checksum; /* the data, after --limit */
    int64_t teacher_checksum;                    /* the teacher's weights, 0 without one */
    double mean[DATASET_CHANNELS_MAX], deviation[DATASET_CHANNELS_MAX];
    augment_recipe augment;                      /* how training images are augmented; also a setting */
    int64_t step;                                /* optimizer steps since the start of training */
    double loss_sum, term_sums[LOSS_TERM_COUNT]; /* over the steps of the current epoch */
    int64_t probe_runs;                          /* number of runs in the part "probe" */
    int64_t first_run; /* index of the probe's run after epoch 1: 1 if it also ran before training (--init), else 0 */
} run_state;

enum { RUN_STATE_VERSION = 3 };

/* Reads only this part of the checkpoint in `path`. */
int run_state_read(run_state *state, const char *path);

#endif

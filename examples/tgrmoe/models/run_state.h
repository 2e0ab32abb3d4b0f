/* SPDX-License-Identifier: MIT */
/* What a checkpoint holds of the training run that wrote it, under the name "host". */
#ifndef TOOL_MODELS_RUN_STATE_H
#define TOOL_MODELS_RUN_STATE_H

#include "augment/recipe.h"
#include "data/image_set.h"

/* The terms of the loss that an epoch's line shows, as the library names them. */
#define LOSS_TERMS "task", "distill", "teacher", "aux"
enum { LOSS_TERM_COUNT = 4 };

/* What the checkpoint holds of the tool's own, under the name "host". Nothing in it may depend on time, on threads or
 * on where the run paused, or a resumed run would not end with the same bytes. All fields have 8 bytes: no padding. */
typedef struct run_state {
    int64_t version;
    int64_t seed, batch, images, shuffle, probe; /* settings that a resumed run must share */
    int64_t kind, train_checksum, test_checksum; /* the data, after --limit */
    int64_t teacher_checksum;                    /* the teacher's weights, 0 without one */
    double mean[DATASET_CHANNELS_MAX], deviation[DATASET_CHANNELS_MAX];
    augment_recipe augment;                      /* how training images are changed; a setting too */
    int64_t step;                                /* optimizer steps since the start of training */
    double loss_sum, term_sums[LOSS_TERM_COUNT]; /* over the steps of the epoch that is under way */
    int64_t probe_runs;                          /* how many runs the part "probe" holds */
    int64_t first_run; /* the probe's run after epoch 1: 1 if it ran before training too (--init), else 0 */
} run_state;

enum { RUN_STATE_VERSION = 3 };

/* Reads it alone. */
int run_state_read(run_state *state, const char *path);

#endif

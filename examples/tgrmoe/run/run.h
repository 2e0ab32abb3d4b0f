/* SPDX-License-Identifier: MIT */
/* A training run: its data, its model with all that trains it, and where it stands. */
#ifndef TOOL_RUN_RUN_H
#define TOOL_RUN_RUN_H

#include <tgrmoe/tgrmoe.h>

#include "arguments.h"
#include "augment/augment.h"
#include "batches/reader.h"
#include "data/dataset.h"

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

typedef struct tool_session {
    const tool_arguments *arguments;
    dataset data;
    preprocessing images; /* of its mean and deviation, grey images have the first */
    char *class_names;    /* as the run's file holds them (folder_names.h); NULL without folders of images */
    uint64_t class_names_size;
    tgr_context *context;
    tgr_model *model, *backbone; /* backbone: of the teacher */
    tgr_teacher *teacher;        /* NULL unless the method is tgr */
    tgr_loss *loss;
    tgr_optimizer *optimizer;
    tgr_probe *probe; /* NULL for a model without MoE layers */
    run_state state;
    int64_t steps_per_epoch, end_step;
} tool_session;

/* session_images.c: loads arguments->data, the images with arguments->labels alone if those are given. `trained` NULL,
 * or the file of a model that has its labels from folders of images. */
int session_load_data(dataset *data, const tool_arguments *arguments, int train, const char *trained);
/* What is done to the images of a fresh run: as with the model that it begins from or the teacher, then by the flags.
 */
int session_find_preprocessing(tool_session *session);
/* The same of a run that goes on, which no flag may change. */
int session_saved_preprocessing(tool_session *session);
int preprocessing_from_flags(preprocessing *io, const tool_arguments *arguments);
/* How a set of images is read, but for their order. */
reading session_reading(const tool_session *session, const image_set *set);

/* A run from the start, or one that goes on from arguments->resume. Close it in either case. */
int session_open(tool_session *session, const tool_arguments *arguments);
void session_close(tool_session *session);

/* configure.c: the options of a fresh model: what the user set, then what data and plan of training suggest. */
int session_configure(tool_session *session, tgr_config **out);
/* Images in files are brought to the size that the config says; NULL: that of the model. */
int session_fit_images(tool_session *session, const tgr_config *config);

/* initial.c: copies weights of the same name and shape from the model in `path`, and says what was taken; with
 * upcycle=1 makes the whole model of the dense one there. */
int session_take_weights(tool_session *session, const char *path);

/* initial_upcycle.c: makes the model of the dense one in `path`; the optimizer of the one there. */
int session_upcycle(tool_session *session, const char *path);
int session_take_moments(tool_session *session, const char *path);

/* initial_teacher.c: the same for the teacher routers, if the file has any. */
int session_take_teacher(tool_session *session, const char *path);

/* state.c: the run as a file. */
int state_save(tool_session *session, const char *path);
/* Reads "host" alone. */
int state_peek(run_state *state, const char *path);
/* Fills model, optimizer, teacher routers, state and probe. */
int state_load(tool_session *session, const char *path);

/* same_settings.c: fails when a setting on the command line, or the data, differ from those of the saved run. */
int state_check(const tool_session *session);
/* A number that tells one model's weights from another's. */
int model_checksum(tgr_model *model, int64_t *checksum);

#endif

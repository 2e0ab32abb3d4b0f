/* SPDX-License-Identifier: MIT */
/* tgrmoe train: the host's loop around the library. */
#include <math.h>
#include <string.h>

#include "batches/reader.h"
#include "commands/commands.h"
#include "failure.h"
#include "progress.h"
#include "run/augmentation.h"
#include "run/epoch_log.h"
#include "run/evaluation.h"
#include "run/routing_kept.h"
#include "run/run.h"

typedef struct tool_training {
    tool_session session;
    training_order order;
    image_reader *reader;
    augmenter augment; /* when the recipe does anything */
    double top1;       /* after step `seen_step` */
    int64_t seen_step, saved_step;
    FILE *log;
    tool_progress progress;
    double epoch_start, step_seconds; /* of the epoch: when it began here, and what its training steps took */
    int64_t step_images;
} tool_training;

static int add_losses(tool_session *session, double total) {
    static const char *const names[LOSS_TERM_COUNT] = {LOSS_TERMS};
    int result = 0;
    session->state.loss_sum += total;
    for (int i = 0; i < LOSS_TERM_COUNT; i++) {
        double value = 0;
        LIBRARY(tgr_loss_find_term(session->loss, names[i], &value));
        session->state.term_sums[i] += value;
    }
done:
    return result;
}

/* An image that changes must not come from the teacher's cache. */
static int run_teacher(const tool_session *session, const tool_batch *batch) {
    int result = 0;
    tgr_teacher *teacher = session->teacher;
    if (!teacher) goto done;
    if (augment_changes(&session->state.augment)) {
        LIBRARY(tgr_teacher_forward(teacher, TGR_TRAIN, batch->images, batch->count));
    } else {
        LIBRARY(tgr_teacher_forward_cached(teacher, TGR_TRAIN, batch->images, batch->ids, batch->count));
    }
done:
    return result;
}

static int compute_loss(const tool_session *session, const tool_batch *batch, double *loss) {
    int result = 0;
    if (batch->targets) {
        LIBRARY(tgr_loss_compute_soft(session->loss, batch->targets, loss));
    } else {
        LIBRARY(tgr_loss_compute(session->loss, batch->labels, loss));
    }
done:
    return result;
}

/* One optimizer step; *loss is that of its batch. */
static int take_step(tool_training *training, double *loss) {
    int result = 0;
    tool_session *session = &training->session;
    const tool_batch *batch = NULL;
    tgr_teacher *teacher = session->teacher;
    const double start = clock_seconds();
    TRY(image_reader_next(training->reader, &batch));
    if (!batch) TRY(fail_with("there are no more images")); /* The plan ends where training does. */
    LIBRARY(tgr_model_forward(session->model, TGR_TRAIN, batch->images, batch->count));
    TRY(run_teacher(session, batch));
    TRY(compute_loss(session, batch, loss));
    LIBRARY(tgr_loss_backward(session->loss));
    LIBRARY(tgr_optimizer_step(session->optimizer));
    if (teacher) LIBRARY(tgr_teacher_step(teacher));
    TRY(add_losses(session, *loss));
    session->state.step++;
    training->step_seconds += clock_seconds() - start;
    training->step_images += batch->count;
done:
    return result;
}

static void print_epoch(const tool_training *training, const tool_epoch *epoch) {
    progress_clear(&training->progress);
    printf("epoch %lld  step %lld  loss %.4f  top-1 %.2f %%", (long long)epoch->number,
           (long long)training->session.state.step, epoch->loss, epoch->top1);
    if (!isnan(epoch->adjacent_consistency)) printf("  adjacent %.3f", epoch->adjacent_consistency);
    if (!isnan(epoch->load_cv)) printf("  load cv %.2f", epoch->load_cv);
    printf("  %.*f images/s  %.1f s\n", epoch->images_per_second < 10 ? 1 : 0, epoch->images_per_second,
           epoch->seconds);
    fflush(stdout);
}

/* Evaluates on all test images; the routing of the first is the next run of the probe. */
static int look(tool_training *training) {
    int result = 0;
    const tool_session *session = &training->session;
    const image_set *test = &session->data.test;
    const reading what = session_reading(session, test);
    TRY(evaluate(&training->top1, session->model, NULL, &what, test->count, session->probe, session->state.probe,
                 NULL));
    training->seen_step = session->state.step;
done:
    return result;
}

/* What a run starts from, so that the end can be compared with it. New routers have nothing to keep. */
static int look_before_training(tool_training *training) {
    int result = 0;
    tool_session *session = &training->session;
    run_state *state = &session->state;
    const tgr_config *config = NULL;
    int64_t upcycle = 0;
    double top1 = 0;
    const image_set *test = &session->data.test;
    const reading what = session_reading(session, test);
    if (!session->arguments->init || state->step > 0) goto done;
    LIBRARY(tgr_model_config(session->model, &config));
    LIBRARY(tgr_config_get_i64(config, TGR_OPTION_UPCYCLE, &upcycle));
    tgr_probe *probe = upcycle ? NULL : session->probe;
    TRY(evaluate(&top1, session->model, NULL, &what, test->count, probe, probe ? state->probe : 0, NULL));
    state->first_run = probe != NULL;
    printf("before training  top-1 %.2f %%\n", top1);
    fflush(stdout);
done:
    return result;
}

/* What the probe says of the epoch. */
static int measure_epoch(const tool_session *session, tool_epoch *epoch) {
    int result = 0;
    int64_t runs = 0;
    if (!session->probe) goto done;
    LIBRARY(tgr_probe_runs(session->probe, &runs));
    LIBRARY(tgr_probe_measure(session->probe, -1, runs - 1, &epoch->load_cv, NULL, NULL, NULL, NULL));
    if (runs - session->state.first_run < 2) goto done;
    LIBRARY(tgr_probe_agreement(session->probe, -1, runs - 2, runs - 1, &epoch->adjacent_consistency));
done:
    return result;
}

/* Evaluates and writes the epoch's line; the run may have stopped in the middle of it. */
static int report_epoch(tool_training *training) {
    int result = 0;
    tool_session *session = &training->session;
    const run_state *state = &session->state;
    const int64_t inside = (state->step - 1) % session->steps_per_epoch + 1;
    tool_epoch epoch = {.number = (state->step - 1) / session->steps_per_epoch + 1,
                        .loss = state->loss_sum / (double)inside,
                        .adjacent_consistency = NAN,
                        .load_cv = NAN};
    TRY(look(training));
    epoch.top1 = training->top1;
    TRY(measure_epoch(session, &epoch));
    for (int i = 0; i < LOSS_TERM_COUNT; i++) epoch.terms[i] = state->term_sums[i] / (double)inside;
    epoch.images_per_second = (double)training->step_images / training->step_seconds;
    epoch.seconds = clock_seconds() - training->epoch_start;
    if (training->log) TRY(epoch_log_write(training->log, session, &epoch));
    print_epoch(training, &epoch);
done:
    return result;
}

/* A whole epoch is done, and the next one starts from zero. */
static int finish_epoch(tool_training *training) {
    int result = 0;
    tool_session *session = &training->session;
    TRY(report_epoch(training));
    session->state.loss_sum = 0;
    memset(session->state.term_sums, 0, sizeof session->state.term_sums);
    training->epoch_start = clock_seconds();
    training->step_seconds = 0;
    training->step_images = 0;
done:
    return result;
}

static int save(tool_training *training) {
    int result = 0;
    const tool_session *session = &training->session;
    if (!session->arguments->save || training->saved_step == session->state.step) goto done;
    TRY(state_save(&training->session, session->arguments->save));
    training->saved_step = session->state.step;
done:
    return result;
}

/* Says where training stopped and what is left, before the library's own words. */
static int explain_stop(const tool_training *training) {
    const int64_t step = training->session.state.step;
    char why[1024];
    snprintf(why, sizeof why, "%s", failure_message());
    progress_clear(&training->progress);
    if (training->saved_step < 0) return fail_with("stopped after step %lld: %s", (long long)step, why);
    return fail_with("stopped after step %lld (%s holds step %lld): %s", (long long)step,
                     training->session.arguments->save, (long long)training->saved_step, why);
}

static int run_steps(tool_training *training) {
    int result = 0;
    tool_session *session = &training->session;
    const run_state *state = &session->state;
    const int64_t every = session->arguments->save_every;
    training->epoch_start = clock_seconds();
    progress_start(&training->progress, session->steps_per_epoch, session->end_step, state->batch,
                   session->arguments->plan);
    while (state->step < session->end_step) {
        double loss = 0;
        if (take_step(training, &loss) != 0) TRY(explain_stop(training));
        progress_show(&training->progress, state->step, loss, (double)training->step_images / training->step_seconds);
        if (state->step % session->steps_per_epoch == 0) TRY(finish_epoch(training));
        const int epoch_ends = state->step % session->steps_per_epoch == 0;
        if ((every != UNSET && state->step % every == 0) || (session->arguments->plan && epoch_ends)) {
            TRY(save(training));
        }
    }
    TRY(save(training));
done:
    progress_clear(&training->progress);
    return result;
}

/* The last line of --json, and the last words. */
static int finish(tool_training *training) {
    int result = 0;
    tool_session *session = &training->session;
    const int64_t step = session->state.step, per_epoch = session->steps_per_epoch;
    const int64_t epochs = (step + per_epoch - 1) / per_epoch; /* the last one may have stopped inside */
    if (training->log) TRY(epoch_log_finish(training->log, session, training->top1, epochs));
    if (session->probe) TRY(print_kept(session, stdout));
    printf("top-1 %.2f %% after step %lld", training->top1, (long long)step);
    if (session->arguments->save) printf(", saved in %s", session->arguments->save);
    printf("\n");
done:
    return result;
}

static int open_training(tool_training *training) {
    int result = 0;
    const tool_session *session = &training->session;
    const run_state *state = &session->state;
    const char *json = session->arguments->json;
    const tgr_config *config = NULL;
    int64_t classes = 0;
    LIBRARY(tgr_model_config(session->model, &config));
    LIBRARY(tgr_config_get_i64(config, TGR_OPTION_CLASSES, &classes));
    reading what = session_reading(session, &session->data.train);
    training->order = (training_order){.images = state->images,
                                       .batch = state->batch,
                                       .steps_per_epoch = session->steps_per_epoch,
                                       .first_step = state->step,
                                       .end_step = session->end_step,
                                       .shuffle = (int)state->shuffle,
                                       .seed = (uint64_t)state->seed};
    TRY(training_order_open(&training->order));
    if (augment_changes(&state->augment)) {
        TRY(augmenter_create(&training->augment, &state->augment, (uint64_t)state->seed, what.set->channels,
                             what.set->size, classes, what.threads));
        what.augment = &training->augment;
    }
    what.user = &training->order;
    what.plan = training_order_plan;
    TRY(image_reader_open(&training->reader, &what));
    if (json) TRY(epoch_log_open(&training->log, json, state->step / session->steps_per_epoch));
done:
    return result;
}

int command_train(const tool_arguments *arguments) {
    int result = 0;
    tool_training training = {.seen_step = -1, .saved_step = -1};
    const run_state *state = &training.session.state;
    TRY(session_open(&training.session, arguments));
    TRY(open_training(&training));
    TRY(look_before_training(&training));
    TRY(run_steps(&training));
    if (training.seen_step != state->step && state->step % training.session.steps_per_epoch != 0) {
        TRY(report_epoch(&training));
    } else if (training.seen_step != state->step) {
        TRY(look(&training));
    }
    TRY(finish(&training));
done:
    if (training.log) fclose(training.log);
    image_reader_close(training.reader);
    augmenter_free(&training.augment);
    training_order_close(&training.order);
    session_close(&training.session);
    return result;
}

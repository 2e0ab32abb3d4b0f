/* SPDX-License-Identifier: MIT */
/* The loop over steps; what is printed, saved and logged after each epoch. */
#include "commands/train.h"

#include <math.h>
#include <string.h>

#include "batches/reader.h"
#include "failure.h"
#include "run/epoch_log.h"
#include "run/evaluation.h"
#include "run/images.h"
#include "run/open.h"
#include "run/routing_kept.h"
#include "run/state.h"
#include "run/step.h"
#include "run/training_images.h"

static int check_arguments(const tool_arguments *arguments) {
    if (arguments->file_count > 0) return fail_usage("train: '%s' is not a flag", arguments->files[0]);
    if (!arguments->data) return fail_usage("train: --data is missing");
    if (arguments->epochs != UNSET && arguments->steps != UNSET) {
        return fail_usage("train: --epochs and --steps exclude each other");
    }
    if (arguments->epochs == UNSET && arguments->steps == UNSET && !arguments->resume) {
        return fail_usage("train: --epochs or --steps is missing");
    }
    if (arguments->save_every != UNSET && !arguments->save) return fail_usage("train: --save-every needs --save");
    if (arguments->init_optimizer && !arguments->init) return fail_usage("train: --init-optimizer needs --init");
    if (arguments->init && arguments->resume) return fail_usage("train: --init and --resume exclude each other");
    return 0;
}

typedef struct tool_training {
    tool_run run;
    const later_trainings *later; /* NULL, or the trainings that follow */
    training_images images;
    double top1; /* measured after step `seen_step` */
    int64_t seen_step, saved_step;
    FILE *log;
    tool_progress progress;
    double epoch_start,
        step_seconds; /* of the epoch: when it began in this process, and how long its training steps took */
    int64_t step_images;
} tool_training;

/* One step, and how long it takes. */
static int take_step(tool_training *training, double *loss) {
    int result = 0;
    int64_t images = 0;
    const double start = clock_seconds();
    TRY(run_step(&training->run, training->images.reader, loss, &images));
    training->step_seconds += clock_seconds() - start;
    training->step_images += images;
done:
    return result;
}

static void print_epoch(const tool_training *training, const tool_epoch *epoch) {
    progress_clear(&training->progress);
    printf("epoch %lld  step %lld  loss %.4f  top-1 %.2f %%", (long long)epoch->number,
           (long long)training->run.state.step, epoch->loss, epoch->top1);
    if (!isnan(epoch->adjacent_consistency)) printf("  adjacent %.3f", epoch->adjacent_consistency);
    if (!isnan(epoch->load_cv)) printf("  load cv %.2f", epoch->load_cv);
    printf("  %.*f images/s  %.1f s\n", epoch->images_per_second < 10 ? 1 : 0, epoch->images_per_second,
           epoch->seconds);
    fflush(stdout);
}

/* Evaluates on all test images; the routing of the first ones becomes the next run of the probe. */
static int look(tool_training *training) {
    int result = 0;
    const tool_run *run = &training->run;
    const image_set *test = &run->data.test;
    const reading what = run_reading(run, test);
    TRY(evaluate(&training->top1, run->model, NULL, &what, test->count, run->probe, run->state.probe, NULL));
    training->seen_step = run->state.step;
done:
    return result;
}

/* Evaluates the model that a run starts from, so that the end can be compared with it. New routers have no routing to
 * keep. */
static int look_before_training(tool_training *training) {
    int result = 0;
    tool_run *run = &training->run;
    run_state *state = &run->state;
    int64_t upcycle = 0;
    double top1 = 0;
    const image_set *test = &run->data.test;
    const reading what = run_reading(run, test);
    if (!run->arguments->init || state->step > 0) goto done;
    const tgr_config *config = tgr_model_config(run->model);
    LIBRARY(tgr_config_get_i64(config, TGR_OPTION_UPCYCLE, &upcycle));
    tgr_probe *probe = upcycle ? NULL : run->probe;
    TRY(evaluate(&top1, run->model, NULL, &what, test->count, probe, probe ? state->probe : 0, NULL));
    state->first_run = probe != NULL;
    printf("before training  top-1 %.2f %%\n", top1);
    fflush(stdout);
done:
    return result;
}

/* What the probe says about the epoch. */
static int measure_epoch(const tool_run *run, tool_epoch *epoch) {
    int result = 0;
    const int64_t runs = tgr_probe_run_count(run->probe);
    tgr_routing_measures measures = {.struct_size = sizeof measures};
    if (!run->probe) goto done;
    LIBRARY(tgr_probe_measure(run->probe, -1, runs - 1, &measures));
    epoch->load_cv = measures.load_cv;
    if (runs - run->state.first_run < 2) goto done;
    LIBRARY(tgr_probe_agreement(run->probe, -1, runs - 2, runs - 1, &epoch->adjacent_consistency));
done:
    return result;
}

/* Evaluates and writes the epoch's line. The run may have ended in the middle of the epoch. */
static int report_epoch(tool_training *training) {
    int result = 0;
    tool_run *run = &training->run;
    const run_state *state = &run->state;
    const int64_t inside = (state->step - 1) % run->steps_per_epoch + 1;
    tool_epoch epoch = {.number = (state->step - 1) / run->steps_per_epoch + 1,
                        .loss = state->loss_sum / (double)inside,
                        .adjacent_consistency = NAN,
                        .load_cv = NAN};
    TRY(look(training));
    epoch.top1 = training->top1;
    TRY(measure_epoch(run, &epoch));
    for (int i = 0; i < LOSS_TERM_COUNT; i++) epoch.terms[i] = state->term_sums[i] / (double)inside;
    epoch.images_per_second = (double)training->step_images / training->step_seconds;
    epoch.seconds = clock_seconds() - training->epoch_start;
    if (training->log) TRY(epoch_log_write(training->log, run, &epoch));
    print_epoch(training, &epoch);
done:
    return result;
}

/* An epoch is complete; the sums of the next one start at zero. */
static int finish_epoch(tool_training *training) {
    int result = 0;
    tool_run *run = &training->run;
    TRY(report_epoch(training));
    run->state.loss_sum = 0;
    memset(run->state.term_sums, 0, sizeof run->state.term_sums);
    training->epoch_start = clock_seconds();
    training->step_seconds = 0;
    training->step_images = 0;
done:
    return result;
}

static int save(tool_training *training) {
    int result = 0;
    const tool_run *run = &training->run;
    if (!run->arguments->save || training->saved_step == run->state.step) goto done;
    TRY(state_save(&training->run, run->arguments->save));
    training->saved_step = run->state.step;
done:
    return result;
}

/* Adds to the message where training stopped and what was saved. */
static int explain_stop(const tool_training *training) {
    const int64_t step = training->run.state.step;
    char why[1024];
    snprintf(why, sizeof why, "%s", failure_message());
    progress_clear(&training->progress);
    if (training->saved_step < 0) return fail_with("stopped after step %lld: %s", (long long)step, why);
    return fail_with("stopped after step %lld (%s holds step %lld): %s", (long long)step, training->run.arguments->save,
                     (long long)training->saved_step, why);
}

static int run_steps(tool_training *training) {
    int result = 0;
    tool_run *run = &training->run;
    const run_state *state = &run->state;
    const int64_t every = run->arguments->save_every;
    training->epoch_start = clock_seconds();
    progress_start(&training->progress, run->steps_per_epoch, run->end_step, state->batch, training->later);
    while (state->step < run->end_step) {
        double loss = 0;
        if (take_step(training, &loss) != 0) TRY(explain_stop(training));
        progress_show(&training->progress, state->step, loss, (double)training->step_images / training->step_seconds);
        if (state->step % run->steps_per_epoch == 0) TRY(finish_epoch(training));
        const int epoch_ends = state->step % run->steps_per_epoch == 0;
        if ((every != UNSET && state->step % every == 0) || (training->later && epoch_ends)) {
            TRY(save(training));
        }
    }
    TRY(save(training));
done:
    progress_clear(&training->progress);
    return result;
}

/* Writes the final line of --json and prints the result. */
static int finish(tool_training *training) {
    int result = 0;
    tool_run *run = &training->run;
    const int64_t step = run->state.step, per_epoch = run->steps_per_epoch;
    const int64_t epochs = (step + per_epoch - 1) / per_epoch; /* the last one may be incomplete */
    if (training->log) TRY(epoch_log_finish(training->log, run, training->top1, epochs));
    if (run->probe) TRY(print_kept(run, stdout));
    printf("top-1 %.2f %% after step %lld", training->top1, (long long)step);
    if (run->arguments->save) printf(", saved in %s", run->arguments->save);
    printf("\n");
done:
    return result;
}

int train_among(const tool_arguments *arguments, const later_trainings *later) {
    int result = 0;
    tool_training training = {.later = later, .seen_step = -1, .saved_step = -1};
    const run_state *state = &training.run.state;
    TRY(check_arguments(arguments));
    TRY(run_open(&training.run, arguments));
    TRY(training_images_open(&training.images, &training.run));
    if (arguments->json) {
        TRY(epoch_log_open(&training.log, arguments->json, state->step / training.run.steps_per_epoch));
    }
    TRY(look_before_training(&training));
    TRY(run_steps(&training));
    if (training.seen_step != state->step && state->step % training.run.steps_per_epoch != 0) {
        TRY(report_epoch(&training));
    } else if (training.seen_step != state->step) {
        TRY(look(&training));
    }
    TRY(finish(&training));
done:
    if (training.log) fclose(training.log);
    training_images_close(&training.images);
    run_close(&training.run);
    return result;
}

int command_train(const tool_arguments *arguments) {
    return train_among(arguments, NULL);
}

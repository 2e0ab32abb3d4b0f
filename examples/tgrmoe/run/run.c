/* SPDX-License-Identifier: MIT */
/* Opening a run: from the start, or where a saved one paused. */
#include <stdlib.h>
#include <string.h>

#include "batches/batch.h"
#include "failure.h"
#include "models/class_names.h"
#include "models/file.h"
#include "run/augmentation.h"
#include "run/run.h"

enum { DEFAULT_BATCH = 128, DEFAULT_SEED = 1, DEFAULT_PROBE = 1000, SHIFTED_SIZE_MOST = 32 };

static int64_t smaller(int64_t a, int64_t b) {
    return a < b ? a : b;
}

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

/* What becomes of the bytes of images. Photographs are prepared as they were for the model that the run begins from. */
static int start_statistics(tool_session *session) {
    int result = 0;
    const tool_arguments *arguments = session->arguments;
    const image_set *train = &session->data.train;
    run_state *state = &session->state;
    preprocessing_defaults(&session->images);
    dataset_statistics(session->data.kind, state->mean, state->deviation);
    if (train->root) {
        TRY(session_find_preprocessing(session));
        memcpy(state->mean, session->images.mean, sizeof state->mean);
        memcpy(state->deviation, session->images.deviation, sizeof state->deviation);
        goto done;
    }
    if (arguments->mean) TRY(arguments_numbers("mean", arguments->mean, train->channels, state->mean));
    if (arguments->deviation) TRY(arguments_numbers("std", arguments->deviation, train->channels, state->deviation));
    for (int64_t i = 0; i < train->channels; i++) {
        if (!(state->deviation[i] > 0)) TRY(fail_usage("--std is %s; it must be above 0", arguments->deviation));
    }
    memcpy(session->images.mean, state->mean, sizeof state->mean);
    memcpy(session->images.deviation, state->deviation, sizeof state->deviation);
done:
    return result;
}

/* The state of a run that has not begun. */
static int start_state(tool_session *session) {
    int result = 0;
    const tool_arguments *arguments = session->arguments;
    const dataset *data = &session->data;
    run_state *state = &session->state;
    const int64_t probe = arguments->probe == UNSET ? DEFAULT_PROBE : arguments->probe;
    state->version = RUN_STATE_VERSION;
    state->seed = arguments->seed == UNSET ? DEFAULT_SEED : arguments->seed;
    state->batch = arguments->batch == UNSET ? DEFAULT_BATCH : arguments->batch;
    state->images = data->train.count;
    state->shuffle = !arguments->no_shuffle;
    state->probe = smaller(probe, data->test.count);
    state->kind = data->kind;
    state->train_checksum = image_set_checksum(&data->train);
    state->test_checksum = image_set_checksum(&data->test);
    TRY(start_statistics(session));
    TRY(augment_options_read(&state->augment, arguments, !data->train.root && data->train.size <= SHIFTED_SIZE_MOST,
                             state->mean, data->train.channels));
done:
    return result;
}

/* Whole batches only, unless there is not even one. */
static void count_steps(tool_session *session) {
    const tool_arguments *arguments = session->arguments;
    session->steps_per_epoch = session->state.images / session->state.batch;
    if (session->steps_per_epoch == 0) session->steps_per_epoch = 1;
    if (arguments->epochs != UNSET) session->end_step = arguments->epochs * session->steps_per_epoch;
    if (arguments->steps != UNSET) session->end_step = arguments->steps;
}

static int open_context(tool_session *session) {
    int result = 0;
    const int64_t threads = session->arguments->threads;
    const tgr_context_options options = {.struct_size = sizeof options,
                                         .threads = threads == UNSET ? 0 : (int)smaller(threads, INT32_MAX),
                                         .seed = (uint64_t)session->state.seed};
    LIBRARY(tgr_context_create(&session->context, &options));
done:
    return result;
}

/* A teacher from safetensors takes photographs of `size`, unless that is NULL. */
static int open_backbone(tool_session *session, const char *size) {
    int result = 0, safetensors = 0;
    const char *path = session->arguments->teacher;
    const tool_setting setting = {.key = "image_size", .value = size};
    if (!path) goto done;
    TRY(model_file_is_safetensors(path, &safetensors));
    if (safetensors && size && session->data.train.root) {
        TRY(model_file_import(&session->backbone, session->context, path, &setting, 1));
    } else {
        TRY(model_file_open(&session->backbone, session->context, path));
    }
done:
    return result;
}

/* The teacher's model sees the same images, so their size must be its own. */
static int check_backbone(const tool_session *session) {
    int result = 0;
    int64_t size = 0, channels = 0;
    const tgr_config *config = NULL;
    const char *path = session->arguments->teacher;
    const image_set *images = &session->data.train;
    if (!path) goto done;
    LIBRARY(tgr_model_config(session->backbone, &config));
    LIBRARY(tgr_config_get_i64(config, TGR_OPTION_IMAGE_SIZE, &size));
    LIBRARY(tgr_config_get_i64(config, TGR_OPTION_CHANNELS, &channels));
    if (size != images->size || channels != images->channels) {
        TRY(fail_with("--teacher %s: takes images of %lld x %lld x %lld; those of the data are %lld x %lld x %lld",
                      path, (long long)channels, (long long)size, (long long)size, (long long)images->channels,
                      (long long)images->size, (long long)images->size));
    }
done:
    return result;
}

/* What trains the model and looks at it: teacher, loss, optimizer, probe. */
static int open_training(tool_session *session) {
    int result = 0;
    int64_t method = 0, layers = 0;
    const tgr_config *config = NULL;
    tgr_parameters *parameters = NULL;
    LIBRARY(tgr_model_config(session->model, &config));
    LIBRARY(tgr_config_get_i64(config, TGR_OPTION_METHOD, &method));
    if (method == TGR_METHOD_TGR && !session->backbone) {
        TRY(fail_usage("train: method tgr needs --teacher FILE, a dense model that train saved"));
    }
    if (session->backbone) LIBRARY(tgr_teacher_create(&session->teacher, session->backbone, session->model));
    LIBRARY(tgr_loss_create(&session->loss, session->model, session->teacher));
    LIBRARY(tgr_model_parameters(session->model, &parameters));
    LIBRARY(tgr_optimizer_create(&session->optimizer, config, parameters));
    LIBRARY(tgr_model_moe_layers(session->model, &layers));
    if (layers > 0) LIBRARY(tgr_probe_create(&session->probe, session->model, NULL, session->state.probe, 1));
done:
    return result;
}

static int open_fresh(tool_session *session) {
    int result = 0;
    tgr_config *config = NULL;
    TRY(start_state(session));
    count_steps(session);
    TRY(open_context(session));
    TRY(open_backbone(session, arguments_setting(session->arguments, "image_size")));
    if (session->backbone) TRY(model_checksum(session->backbone, &session->state.teacher_checksum));
    TRY(session_configure(session, &config));
    TRY(check_backbone(session));
    LIBRARY(tgr_model_create(&session->model, session->context, config));
    if (session->arguments->init) TRY(session_take_weights(session, session->arguments->init));
    TRY(open_training(session));
    if (session->arguments->init && session->teacher) TRY(session_take_teacher(session, session->arguments->init));
    if (session->arguments->init_optimizer) TRY(session_take_moments(session, session->arguments->init));
done:
    tgr_config_free(config);
    return result;
}

/* Without --epochs or --steps a resumed run ends where it was planned to. */
static int plan_end(tool_session *session) {
    int result = 0;
    int64_t total = 0;
    const tgr_config *config = NULL;
    const char *path = session->arguments->resume;
    count_steps(session);
    LIBRARY(tgr_model_config(session->model, &config));
    LIBRARY(tgr_config_get_i64(config, TGR_OPTION_TOTAL_STEPS, &total));
    if (session->end_step == 0) session->end_step = total;
    if (session->end_step == 0) TRY(fail_usage("train: --steps is missing; %s does not say where it was to end", path));
    if (total > 0 && session->end_step > total) {
        TRY(fail_with("the end at step %lld is new; the run to resume was started with total_steps %lld",
                      (long long)session->end_step, (long long)total));
    }
    if (session->state.step > session->end_step) {
        TRY(fail_with("%s is at step %lld already; the end is step %lld", path, (long long)session->state.step,
                      (long long)session->end_step));
    }
done:
    return result;
}

static int open_resumed(tool_session *session) {
    int result = 0;
    const char *path = session->arguments->resume;
    const tgr_config *config = NULL;
    char size[32];
    TRY(open_context(session));
    LIBRARY(tgr_model_load(&session->model, session->context, path, "model"));
    LIBRARY(tgr_model_config(session->model, &config));
    LIBRARY(tgr_config_get(config, "image_size", size, sizeof size));
    TRY(open_backbone(session, size));
    TRY(session_fit_images(session, NULL));
    TRY(check_backbone(session));
    TRY(session_saved_preprocessing(session));
    TRY(state_check(session));
    TRY(plan_end(session));
    TRY(open_training(session));
    TRY(state_load(session, path));
done:
    return result;
}

int session_open(tool_session *session, const tool_arguments *arguments) {
    int result = 0;
    image_set *train = &session->data.train;
    *session = (tool_session){.arguments = arguments};
    TRY(check_arguments(arguments));
    if (arguments->resume) TRY(state_peek(&session->state, arguments->resume));
    TRY(session_load_data(&session->data, arguments, 1, arguments->resume));
    if (arguments->limit != UNSET) image_set_limit(train, arguments->limit);
    if (arguments->resume && arguments->limit == UNSET) image_set_limit(train, session->state.images);
    if (train->root) TRY(class_names_pack(&session->class_names, &session->class_names_size, &session->data.names));
    /* The probe looks at the first images, which should be of all classes. */
    TRY(image_set_mix(train));
    TRY(image_set_mix(&session->data.test));
    TRY(arguments->resume ? open_resumed(session) : open_fresh(session));
done:
    return result;
}

void session_close(tool_session *session) {
    tgr_probe_free(session->probe);
    tgr_optimizer_free(session->optimizer);
    tgr_loss_free(session->loss);
    tgr_teacher_free(session->teacher);
    tgr_model_free(session->backbone);
    tgr_model_free(session->model);
    tgr_context_free(session->context);
    free(session->class_names);
    dataset_free(&session->data);
}

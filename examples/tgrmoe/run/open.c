/* SPDX-License-Identifier: MIT */
/* A fresh run and a resumed one, and what they have in common. */
#include "run/open.h"

#include <stdlib.h>
#include <string.h>

#include "failure.h"
#include "models/checksum.h"
#include "models/class_names.h"
#include "models/file.h"
#include "models/part.h"
#include "models/run_state.h"
#include "run/configure.h"
#include "run/fresh_state.h"
#include "run/images.h"
#include "run/initial.h"
#include "run/initial_teacher.h"
#include "run/initial_upcycle.h"
#include "run/same_settings.h"
#include "run/state.h"

/* An epoch has whole batches only, unless there is not even one. */
static void count_steps(tool_run *run) {
    const tool_arguments *arguments = run->arguments;
    run->steps_per_epoch = run->state.images / run->state.batch;
    if (run->steps_per_epoch == 0) run->steps_per_epoch = 1;
    if (arguments->epochs != UNSET) run->end_step = arguments->epochs * run->steps_per_epoch;
    if (arguments->steps != UNSET) run->end_step = arguments->steps;
}

static int open_context(tool_run *run) {
    int result = 0;
    const tgr_context_options options = {
        .struct_size = sizeof options, .threads = arguments_threads(run->arguments), .seed = (uint64_t)run->state.seed};
    LIBRARY(tgr_context_create(&run->context, &options));
done:
    return result;
}

/* A teacher from safetensors takes photographs of `size`, unless that is NULL. What describes the file that the run
 * begins from describes the teacher, too, where they are one file. */
static int open_backbone(tool_run *run, const char *size) {
    int result = 0, safetensors = 0, count = 0;
    const tool_arguments *arguments = run->arguments;
    const char *path = arguments->teacher;
    tgr_config *config = NULL;
    tool_setting settings[MODEL_FILE_SETTINGS + 1];
    if (!path) goto done;
    TRY(model_file_is_safetensors(path, &safetensors));
    if (arguments->init && strcmp(arguments->init, path) == 0) count = model_file_settings(settings, arguments);
    if (safetensors)
        TRY(model_file_config(&config, run->context, path, settings, count)); /* asks before it is fitted */
    if (size && run->data.train.root) settings[count++] = (tool_setting){.key = "image_size", .value = size};
    if (safetensors) {
        TRY(model_file_import(&run->backbone, run->context, path, settings, count));
    } else {
        TRY(model_file_open(&run->backbone, run->context, path));
    }
done:
    tgr_config_free(config);
    return result;
}

/* The teacher's model sees the same images, so their size must be its own. */
static int check_backbone(const tool_run *run) {
    int result = 0;
    int64_t size = 0, channels = 0;
    const char *path = run->arguments->teacher;
    const image_set *images = &run->data.train;
    if (!path) goto done;
    const tgr_config *config = tgr_model_config(run->backbone);
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

/* What trains and observes the model: teacher, loss, optimizer, probe. */
static int open_training(tool_run *run) {
    int result = 0;
    int64_t method = 0;
    const tgr_config *config = tgr_model_config(run->model);
    LIBRARY(tgr_config_get_i64(config, TGR_OPTION_METHOD, &method));
    if (method == TGR_METHOD_TGR && !run->backbone) {
        TRY(fail_usage("train: method tgr needs --teacher FILE, a dense model that train saved"));
    }
    if (run->backbone) LIBRARY(tgr_teacher_create(&run->teacher, run->backbone, run->model));
    LIBRARY(tgr_loss_create(&run->loss, run->model, run->teacher));
    LIBRARY(tgr_optimizer_create(&run->optimizer, config, tgr_model_parameters(run->model)));
    const int64_t layers = tgr_model_moe_layer_count(run->model);
    if (layers > 0) LIBRARY(tgr_probe_create(&run->probe, run->model, NULL, run->state.probe, 1));
done:
    return result;
}

static int open_fresh(tool_run *run) {
    int result = 0;
    tgr_config *config = NULL;
    TRY(run_fresh_state(run));
    count_steps(run);
    TRY(open_context(run));
    TRY(open_backbone(run, arguments_setting(run->arguments, "image_size")));
    if (run->backbone) TRY(model_checksum(run->backbone, &run->state.teacher_checksum));
    TRY(run_configure(run, &config));
    TRY(check_backbone(run));
    LIBRARY(tgr_model_create(&run->model, run->context, config));
    if (run->arguments->init) TRY(run_take_weights(run, run->arguments->init));
    TRY(open_training(run));
    if (run->arguments->init && run->teacher) TRY(run_take_teacher(run, run->arguments->init));
    if (run->arguments->init_optimizer) TRY(run_take_moments(run, run->arguments->init));
done:
    tgr_config_free(config);
    return result;
}

/* Without --epochs or --steps, a resumed run ends where it was originally planned to. */
static int plan_end(tool_run *run) {
    int result = 0;
    int64_t total = 0;
    const char *path = run->arguments->resume;
    count_steps(run);
    const tgr_config *config = tgr_model_config(run->model);
    LIBRARY(tgr_config_get_i64(config, TGR_OPTION_TOTAL_STEPS, &total));
    if (run->end_step == 0) run->end_step = total;
    if (run->end_step == 0) TRY(fail_usage("train: --steps is missing; %s does not say at which step to end", path));
    if (total > 0 && run->end_step > total) {
        TRY(fail_with("the end would be at step %lld; the run to resume was started with total_steps %lld",
                      (long long)run->end_step, (long long)total));
    }
    if (run->state.step > run->end_step) {
        TRY(fail_with("%s is at step %lld already; the end is step %lld", path, (long long)run->state.step,
                      (long long)run->end_step));
    }
done:
    return result;
}

static int open_resumed(tool_run *run) {
    int result = 0;
    const char *path = run->arguments->resume;
    char size[32];
    TRY(open_context(run));
    LIBRARY(tgr_model_load(&run->model, run->context, path, PART_MODEL));
    const tgr_config *config = tgr_model_config(run->model);
    LIBRARY(tgr_config_get(config, "image_size", size, sizeof size));
    TRY(open_backbone(run, size));
    TRY(run_fit_images(run, NULL));
    TRY(check_backbone(run));
    TRY(run_saved_preprocessing(run));
    TRY(state_check(run));
    TRY(plan_end(run));
    TRY(open_training(run));
    TRY(state_load(run, path));
done:
    return result;
}

int run_open(tool_run *run, const tool_arguments *arguments) {
    int result = 0;
    image_set *train = &run->data.train;
    *run = (tool_run){.arguments = arguments};
    if (arguments->resume) TRY(run_state_read(&run->state, arguments->resume));
    TRY(dataset_from_flags(&run->data, arguments, 1, arguments->resume));
    if (arguments->limit != UNSET) image_set_limit(train, arguments->limit);
    if (arguments->resume && arguments->limit == UNSET) image_set_limit(train, run->state.images);
    if (train->root) TRY(class_names_pack(&run->class_names, &run->class_names_size, &run->data.names));
    /* The probe sees the first images, which should be of all classes. */
    TRY(image_set_mix(train));
    TRY(image_set_mix(&run->data.test));
    TRY(arguments->resume ? open_resumed(run) : open_fresh(run));
done:
    return result;
}

void run_close(tool_run *run) {
    tgr_probe_free(run->probe);
    tgr_optimizer_free(run->optimizer);
    tgr_loss_free(run->loss);
    tgr_teacher_free(run->teacher);
    tgr_model_free(run->backbone);
    tgr_model_free(run->model);
    tgr_context_free(run->context);
    free(run->class_names);
    dataset_free(&run->data);
}

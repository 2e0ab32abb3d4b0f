/* SPDX-License-Identifier: MIT */
/* A flag that was not given agrees with every saved value. */
#include "run/same_settings.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>
#include <zlib.h>

#include "failure.h"
#include "models/checksum.h"
#include "run/augmentation.h"

static int check_number(const char *name, int64_t given, int64_t saved) {
    if (given == UNSET || given == saved) return 0;
    return fail_with("%s is %" PRId64 "; the run to resume was started with %" PRId64, name, given, saved);
}

static int check_statistics(const char *flag, const char *text, int64_t channels, const double *saved) {
    double given[DATASET_CHANNELS_MAX];
    if (!text) return 0;
    const int result = arguments_numbers(flag, text, channels, given);
    if (result != 0) return result;
    for (int64_t i = 0; i < channels; i++) {
        if (given[i] == saved[i]) continue;
        return fail_with("--%s is %s; the run to resume was started with %.17g", flag, text, saved[i]);
    }
    return 0;
}

static int check_augmentation(const tool_run *run) {
    int result = 0;
    const run_state *saved = &run->state;
    augment_recipe given = {0};
    if (!augment_options_given(run->arguments)) goto done;
    TRY(augment_options_read(&given, run->arguments, saved->augment.crop == AUGMENT_CROP_PADDED, saved->mean,
                             run->data.train.channels));
    if (!augment_recipe_same(&given, &saved->augment)) {
        TRY(fail_with("the augmentation is not the one that the run to resume was started with"));
    }
done:
    return result;
}

/* Every option that the user set must have the saved model's value. */
static int check_options(const tool_run *run) {
    int result = 0;
    const tool_arguments *arguments = run->arguments;
    tgr_config *given = NULL;
    const tgr_config *saved = tgr_model_config(run->model);
    LIBRARY(tgr_config_create(&given, run->context));
    for (int i = 0; i < arguments->setting_count; i++) {
        const tool_setting *setting = &arguments->settings[i];
        char now[1024], then[1024];
        LIBRARY(tgr_config_set(given, setting->key, setting->value));
        LIBRARY(tgr_config_get(given, setting->key, now, sizeof now));
        LIBRARY(tgr_config_get(saved, setting->key, then, sizeof then));
        if (strcmp(now, then) != 0) {
            TRY(fail_with("%s is %s; the run to resume was started with %s", setting->key, now, then));
        }
    }
done:
    tgr_config_free(given);
    return result;
}

enum { BATCH_MOST = 1 << 24 };

/* What the file says of the run is as good as the file: each number that is used is checked against the data. */
static int check_state(const tool_run *run) {
    int result = 0;
    const run_state *saved = &run->state;
    const dataset *data = &run->data;
    const char *path = run->arguments->resume;
    int64_t classes = 0;
    const tgr_config *config = tgr_model_config(run->model);
    LIBRARY(tgr_config_get_i64(config, TGR_OPTION_CLASSES, &classes));
    TRY(image_set_check_labels(&data->train, "training", classes));
    TRY(image_set_check_labels(&data->test, "test", classes));
    if (saved->probe < 1 || saved->probe > data->test.count) {
        TRY(fail_with("%s: its probe is of %" PRId64 " images; there are %" PRId64 " test images", path, saved->probe,
                      data->test.count));
    }
    if (saved->batch > BATCH_MOST) {
        TRY(fail_with("%s: its batch is of %" PRId64 " images; at most %d are allowed", path, saved->batch,
                      BATCH_MOST));
    }
    for (int64_t i = 0; i < data->train.channels; i++) {
        if (isfinite(saved->mean[i]) && isfinite(saved->deviation[i]) && saved->deviation[i] > 0) continue;
        TRY(fail_with("%s: its mean and std of channel %" PRId64 " are %g and %g", path, i, saved->mean[i],
                      saved->deviation[i]));
    }
done:
    return result;
}

int state_check(const tool_run *run) {
    int result = 0;
    const tool_arguments *arguments = run->arguments;
    const run_state *saved = &run->state;
    const dataset *data = &run->data;
    const int64_t channels = data->train.channels;
    int64_t teacher = 0;
    TRY(check_state(run));
    TRY(check_options(run));
    TRY(check_augmentation(run));
    TRY(check_number("--seed", arguments->seed, saved->seed));
    TRY(check_number("--batch", arguments->batch, saved->batch));
    TRY(check_number("number of training images", data->train.count, saved->images));
    TRY(check_number("number of probe images (--probe)",
                     arguments->probe > data->test.count ? data->test.count : arguments->probe, saved->probe));
    if (arguments->no_shuffle && saved->shuffle) TRY(fail_with("--no-shuffle is new; the run to resume shuffles"));
    TRY(check_statistics("mean", arguments->mean, channels, saved->mean));
    TRY(check_statistics("std", arguments->deviation, channels, saved->deviation));
    if (data->kind != (dataset_kind)saved->kind || image_set_checksum(&data->train) != saved->train_checksum ||
        image_set_checksum(&data->test) != saved->test_checksum) {
        TRY(fail_with("--data %s: the images or labels are not those that the run was started with", arguments->data));
    }
    if (run->backbone) TRY(model_checksum(run->backbone, &teacher));
    if (teacher != saved->teacher_checksum) {
        TRY(arguments->teacher
                ? fail_with("--teacher %s: is not the teacher that the run was started with", arguments->teacher)
                : fail_with("--teacher is missing; the run to resume was started with one"));
    }
done:
    return result;
}

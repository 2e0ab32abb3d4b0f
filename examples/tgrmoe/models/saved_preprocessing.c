/* SPDX-License-Identifier: MIT */
/* A checkpoint has the part "preprocessing" or, from a run on IDX or CIFAR, the run's state; safetensors have texts. */
#include "models/saved_preprocessing.h"

#include <stdio.h>
#include <tgrmoe/tgrmoe.h>

#include "failure.h"
#include "models/file.h"
#include "models/part.h"
#include "models/run_state.h"
#include "models/timm.h"

int preprocessing_load(preprocessing *out, const char *path, int *found) {
    int result = 0;
    uint64_t size = 0;
    preprocessing read = {0};
    TRY(part_size(&size, path, PART_PREPROCESSING));
    *found = size > 0;
    if (!*found) goto done;
    TRY(part_load(&read, sizeof read, path, PART_PREPROCESSING));
    TRY(preprocessing_check(&read, path));
    *out = read;
done:
    return result;
}

/* Texts may say a part of it. */
static int read_texts(preprocessing *io, const char *path) {
    int result = 0;
    tgr_context *context = NULL;
    tgr_safetensors *file = NULL;
    const tgr_context_options options = {.struct_size = sizeof options, .threads = 1};
    LIBRARY(tgr_context_create(&context, &options));
    LIBRARY(tgr_safetensors_open(&file, context, path));
    for (int i = 0; i < PREPROCESSING_TEXTS; i++) {
        const char *key = preprocessing_keys[i], *text = tgr_safetensors_text(file, key);
        if (text && preprocessing_read(io, key, text) != 0) TRY(fail_with("%s: %s", path, failure_message()));
    }
    TRY(preprocessing_check(io, path));
done:
    tgr_safetensors_close(file);
    tgr_context_free(context);
    return result;
}

/* Such images are as large as the model takes them: nothing is cropped or resized. Channels that are not there repeat
 * the first. */
static int read_run(preprocessing *io, const char *path) {
    int result = 0;
    uint64_t size = 0;
    run_state state = {0};
    TRY(part_size(&size, path, PART_RUN));
    if (size == 0) goto done;
    TRY(run_state_read(&state, path));
    for (int i = 0; i < IMAGE_CHANNELS; i++) {
        const int there = i < DATASET_CHANNELS_MAX && state.deviation[i] > 0;
        io->mean[i] = state.mean[there ? i : 0];
        io->deviation[i] = state.deviation[there ? i : 0];
    }
    io->crop_pct = 1;
    io->assumed = 0;
done:
    return result;
}

static int read_checkpoint(preprocessing *io, const char *path) {
    int result = 0, found = 0;
    TRY(preprocessing_load(io, path, &found));
    if (!found) TRY(read_run(io, path));
done:
    return result;
}

const char *const preprocessing_flags[PREPROCESSING_TEXTS] = {"mean", "std", "crop", "interpolation", "orientation"};

int preprocessing_from_flags(preprocessing *io, const tool_arguments *arguments) {
    int result = 0;
    for (int i = 0; i < PREPROCESSING_TEXTS; i++) {
        const char *flag = preprocessing_flags[i], *text = arguments_text(arguments, flag);
        if (text && preprocessing_read(io, preprocessing_keys[i], text) != 0) {
            TRY(fail_usage("--%s: %s", flag, failure_message()));
        }
    }
    TRY(preprocessing_check(io, "the images' preprocessing"));
done:
    return result;
}

int model_file_preprocessing(preprocessing *out, const char *path, const tool_arguments *arguments) {
    int result = 0, safetensors = 0;
    preprocessing_defaults(out);
    TRY(model_file_is_safetensors(path, &safetensors));
    /* The last word is the user's: who says mean and deviation does not need what a file of another version has. */
    if (arguments->mean && arguments->deviation && !safetensors) {
        if (read_checkpoint(out, path) != 0) fprintf(stderr, "%s\n", failure_message());
    } else {
        TRY(safetensors ? read_texts(out, path) : read_checkpoint(out, path));
    }
    if (arguments->timm) TRY(timm_preprocessing(out, arguments->timm));
    TRY(preprocessing_from_flags(out, arguments));
done:
    return result;
}

/* SPDX-License-Identifier: MIT */
/* A checkpoint has the part "preprocessing" or, from a run on IDX or CIFAR, the run's state; safetensors have texts. */
#include "models/saved_preprocessing.h"

#include <tgrmoe/tgrmoe.h>

#include "failure.h"
#include "models/file.h"
#include "models/part.h"
#include "models/run_state.h"

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

static int read_texts(preprocessing *out, const char *path, int *found) {
    int result = 0;
    preprocessing read = *out;
    tgr_context *context = NULL;
    tgr_safetensors *file = NULL;
    const tgr_context_options options = {.struct_size = sizeof options, .threads = 1};
    *found = 0;
    LIBRARY(tgr_context_create(&context, &options));
    LIBRARY(tgr_safetensors_open(&file, context, path));
    for (int i = 0; i < PREPROCESSING_TEXTS; i++) {
        const char *text = tgr_safetensors_text(file, preprocessing_keys[i]);
        if (!text) continue;
        TRY(preprocessing_read(&read, preprocessing_keys[i], text));
        *found = 1;
    }
    if (*found) TRY(preprocessing_check(&read, path));
    *out = read;
done:
    tgr_safetensors_close(file);
    tgr_context_free(context);
    return result;
}

/* Such images already have the model's size, so nothing is cropped. Missing channels repeat the first. */
static void read_run(preprocessing *out, const char *path, int *found) {
    run_state state = {0};
    *found = run_state_read(&state, path) == 0;
    if (!*found) return;
    for (int i = 0; i < IMAGE_CHANNELS; i++) {
        const int there = i < DATASET_CHANNELS_MAX && state.deviation[i] > 0;
        out->mean[i] = state.mean[there ? i : 0];
        out->deviation[i] = state.deviation[there ? i : 0];
    }
    out->crop_pct = 1;
}

int model_file_preprocessing(preprocessing *out, const char *path, int *found) {
    int result = 0, safetensors = 0;
    TRY(model_file_is_safetensors(path, &safetensors));
    if (safetensors) {
        TRY(read_texts(out, path, found));
        goto done;
    }
    TRY(preprocessing_load(out, path, found));
    if (!*found) read_run(out, path, found);
done:
    return result;
}

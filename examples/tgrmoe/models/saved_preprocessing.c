/* SPDX-License-Identifier: MIT */
/* A checkpoint has the part "preprocessing", or what a run on images without folders recorded of itself; safetensors
 * have texts. */
#include "models/saved_preprocessing.h"

#include <string.h>
#include <tgrmoe/tgrmoe.h>

#include "failure.h"
#include "models/file.h"
#include "models/run_state.h"

static int is_ours(void *user, const tgr_section *part) {
    int *found = user;
    *found = *found || strcmp(part->name, "preprocessing") == 0;
    return *found;
}

int preprocessing_load(preprocessing *out, const char *path, int *found) {
    int result = 0;
    preprocessing read = {0};
    tgr_context *context = NULL;
    tgr_checkpoint *file = NULL;
    const tgr_context_options options = {.struct_size = sizeof options, .threads = 1};
    *found = 0;
    LIBRARY(tgr_context_create(&context, &options));
    LIBRARY(tgr_checkpoint_list(context, path, is_ours, found));
    if (!*found) goto done;
    LIBRARY(tgr_checkpoint_create(&file, context));
    LIBRARY(tgr_checkpoint_add_bytes(file, "preprocessing", &read, sizeof read));
    LIBRARY(tgr_checkpoint_load(file, path));
    TRY(preprocessing_check(&read, path));
    *out = read;
done:
    tgr_checkpoint_free(file);
    tgr_context_free(context);
    return result;
}

static int read_texts(preprocessing *out, const char *path, int *found) {
    static const char *const keys[] = {"mean", "std", "crop_pct", "interpolation"};
    int result = 0;
    preprocessing read = *out;
    tgr_context *context = NULL;
    tgr_safetensors *file = NULL;
    const tgr_context_options options = {.struct_size = sizeof options, .threads = 1};
    *found = 0;
    LIBRARY(tgr_context_create(&context, &options));
    LIBRARY(tgr_safetensors_open(&file, context, path));
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        const char *text = NULL;
        LIBRARY(tgr_safetensors_text(file, keys[i], &text));
        if (!text) continue;
        TRY(preprocessing_read(&read, keys[i], text));
        *found = 1;
    }
    if (*found) TRY(preprocessing_check(&read, path));
    *out = read;
done:
    tgr_safetensors_close(file);
    tgr_context_free(context);
    return result;
}

/* Such images are as large as the model takes them: nothing is cropped. Channels that are not there repeat the first.
 */
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

/* SPDX-License-Identifier: MIT */
/* Preprocessing from files of either kind: texts of safetensors, the part "preprocessing" of a checkpoint, or what a
 * run on images without folders recorded of itself. */
#include <string.h>

#include "failure.h"
#include "models/file.h"
#include "models/timm.h"
#include "run/run.h"

/* Texts may say a part of it. */
static int read_texts(preprocessing *io, const char *path) {
    static const char *const keys[] = {"mean", "std", "crop_pct", "interpolation"};
    int result = 0;
    tgr_context *context = NULL;
    tgr_safetensors *file = NULL;
    const tgr_context_options options = {.struct_size = sizeof options, .threads = 1};
    LIBRARY(tgr_context_create(&context, &options));
    LIBRARY(tgr_safetensors_open(&file, context, path));
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        const char *text = NULL;
        LIBRARY(tgr_safetensors_text(file, keys[i], &text));
        if (text && preprocessing_read(io, keys[i], text) != 0) TRY(fail_with("%s: %s", path, failure_message()));
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
    int result = 0, found = 0;
    run_state state = {0};
    TRY(state_find(&state, path, &found));
    if (!found) goto done;
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

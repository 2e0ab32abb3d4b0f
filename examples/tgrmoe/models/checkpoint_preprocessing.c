/* SPDX-License-Identifier: MIT */
/* Preprocessing from the tool's checkpoints. */
#include <string.h>
#include <tgrmoe/tgrmoe.h>

#include "failure.h"
#include "images/preprocessing.h"

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

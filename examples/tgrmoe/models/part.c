/* SPDX-License-Identifier: MIT */
/* Each call has its own context, so no caller needs one. */
#include "models/part.h"

#include <string.h>
#include <tgrmoe/tgrmoe.h>

#include "failure.h"

static const tgr_context_options one_thread = {.struct_size = sizeof one_thread, .threads = 1};

typedef struct sought_part {
    const char *name;
    uint64_t size;
} sought_part;

static int look_at(void *user, const tgr_section *part) {
    sought_part *sought = user;
    const int found = strcmp(part->name, sought->name) == 0;
    if (found) sought->size = part->bytes;
    return found;
}

int part_size(uint64_t *size, const char *path, const char *name) {
    int result = 0;
    sought_part sought = {.name = name};
    tgr_context *context = NULL;
    LIBRARY(tgr_context_create(&context, &one_thread));
    LIBRARY(tgr_checkpoint_list(context, path, look_at, &sought));
    *size = sought.size;
done:
    tgr_context_free(context);
    return result;
}

int part_load(void *bytes, uint64_t size, const char *path, const char *name) {
    int result = 0;
    tgr_context *context = NULL;
    tgr_checkpoint *file = NULL;
    LIBRARY(tgr_context_create(&context, &one_thread));
    LIBRARY(tgr_checkpoint_create(&file, context));
    LIBRARY(tgr_checkpoint_add_bytes(file, name, bytes, size));
    LIBRARY(tgr_checkpoint_load(file, path));
done:
    tgr_checkpoint_free(file);
    tgr_context_free(context);
    return result;
}

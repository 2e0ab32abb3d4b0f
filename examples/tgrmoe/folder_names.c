/* SPDX-License-Identifier: MIT */
/* Names of classes as bytes. */
#include "folder_names.h"

#include <stdlib.h>
#include <string.h>

#include "failure.h"
#include "tgrmoe/tgrmoe.h"

enum { BYTES_MOST = 1 << 26 };

int class_names_pack(char **out, uint64_t *size, const name_list *names) {
    uint64_t bytes = 0;
    for (int64_t i = 0; i < names->count; i++) bytes += strlen(names->names[i]) + 1;
    char *all = malloc(bytes ? bytes : 1), *at = all;
    if (!all) return fail_with("no memory for the names of classes");
    for (int64_t i = 0; i < names->count; i++) {
        const size_t length = strlen(names->names[i]) + 1;
        memcpy(at, names->names[i], length);
        at += length;
    }
    *out = all;
    *size = bytes;
    return 0;
}

static int find_size(void *user, const tgr_section *part) {
    uint64_t *size = user;
    if (strcmp(part->name, "classes") == 0) *size = part->bytes;
    return *size > 0;
}

/* Names come sorted, each once: their places are their labels. */
static int unpack(name_list *out, const char *bytes, uint64_t size, const char *path) {
    int result = 0;
    name_list names = {0};
    if (bytes[size - 1] != '\0') TRY(fail_with("%s: the names of its classes are cut off", path));
    for (uint64_t at = 0; at < size; at += strlen(bytes + at) + 1) {
        if (names.count > 0 && strcmp(names.names[names.count - 1], bytes + at) >= 0) {
            TRY(fail_with("%s: the names of its classes are not sorted", path));
        }
        TRY(name_list_add(&names, bytes + at));
    }
    *out = names;
    names = (name_list){0};
done:
    name_list_free(&names);
    return result;
}

int class_names_load(name_list *out, const char *path) {
    int result = 0;
    uint64_t size = 0;
    char *bytes = NULL;
    tgr_context *context = NULL;
    tgr_checkpoint *file = NULL;
    const tgr_context_options options = {.struct_size = sizeof options, .threads = 1};
    *out = (name_list){0};
    LIBRARY(tgr_context_create(&context, &options));
    if (tgr_checkpoint_list(context, path, find_size, &size) != TGR_OK || size == 0) goto done;
    if (size > BYTES_MOST) TRY(fail_with("%s: the names of its classes are too long", path));
    bytes = malloc(size);
    if (!bytes) TRY(fail_with("no memory for the names of classes"));
    LIBRARY(tgr_checkpoint_create(&file, context));
    LIBRARY(tgr_checkpoint_add_bytes(file, "classes", bytes, size));
    LIBRARY(tgr_checkpoint_load(file, path));
    TRY(unpack(out, bytes, size, path));
done:
    free(bytes);
    tgr_checkpoint_free(file);
    tgr_context_free(context);
    return result;
}

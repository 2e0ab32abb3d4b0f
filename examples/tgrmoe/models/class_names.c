/* SPDX-License-Identifier: MIT */
/* Names as bytes in a checkpoint and as text in safetensors. */
#include "models/class_names.h"

#include <stdlib.h>
#include <string.h>
#include <tgrmoe/tgrmoe.h>

#include "failure.h"
#include "models/file.h"
#include "models/part.h"

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

/* Whether the name is UTF-8 (overlong forms aside) without control characters. */
static int is_line(const char *name) {
    for (const unsigned char *at = (const unsigned char *)name; *at;) {
        const int more = *at < 0x80 ? 0 : *at < 0xC2 ? -1 : *at < 0xE0 ? 1 : *at < 0xF0 ? 2 : *at < 0xF5 ? 3 : -1;
        if (more < 0 || *at < 0x20 || *at == 0x7F) return 0;
        at++;
        for (int i = 0; i < more; i++) {
            if ((*at++ & 0xC0) != 0x80) return 0;
        }
    }
    return *name != '\0';
}

int class_names_text(char **out, const name_list *names) {
    int result = 0;
    char *text = NULL;
    uint64_t size = 0;
    *out = NULL;
    if (names->count == 0) goto done;
    for (int64_t i = 0; i < names->count; i++) {
        if (is_line(names->names[i])) continue;
        fprintf(stderr, "the names of classes are left out: that of class %lld is not plain text\n", (long long)i);
        goto done;
    }
    TRY(class_names_pack(&text, &size, names));
    for (uint64_t at = 0; at + 1 < size; at++) {
        if (text[at] == '\0') text[at] = '\n';
    }
    *out = text;
done:
    return result;
}

/* In any order, each once: their places are their labels. */
static int unpack(name_list *out, const char *bytes, uint64_t size, const char *path) {
    int result = 0;
    name_list names = {0};
    if (bytes[size - 1] != '\0') TRY(fail_with("%s: the names of its classes are truncated", path));
    for (uint64_t at = 0; at < size; at += strlen(bytes + at) + 1) {
        TRY(name_list_add(&names, bytes + at));
    }
    TRY(name_list_check_single(&names, path));
    *out = names;
    names = (name_list){0};
done:
    name_list_free(&names);
    return result;
}

static int load_text(name_list *out, const char *path) {
    int result = 0;
    const tgr_context_options options = {.struct_size = sizeof options, .threads = 1};
    char *bytes = NULL;
    tgr_context *context = NULL;
    tgr_safetensors *file = NULL;
    LIBRARY(tgr_context_create(&context, &options));
    LIBRARY(tgr_safetensors_open(&file, context, path));
    const char *text = tgr_safetensors_text(file, "label_names");
    if (!text || !*text) goto done;
    bytes = strdup(text);
    if (!bytes) TRY(fail_with("no memory for the names of classes"));
    for (char *at = strchr(bytes, '\n'); at; at = strchr(at + 1, '\n')) *at = '\0';
    TRY(unpack(out, bytes, strlen(text) + 1, path));
done:
    free(bytes);
    tgr_safetensors_close(file);
    tgr_context_free(context);
    return result;
}

static int load_part(name_list *out, const char *path) {
    int result = 0;
    uint64_t size = 0;
    char *bytes = NULL;
    TRY(part_size(&size, path, PART_CLASSES));
    if (size == 0) goto done;
    if (size > BYTES_MOST) TRY(fail_with("%s: the names of its classes are too long", path));
    bytes = malloc(size);
    if (!bytes) TRY(fail_with("no memory for the names of classes"));
    TRY(part_load(bytes, size, path, PART_CLASSES));
    TRY(unpack(out, bytes, size, path));
done:
    free(bytes);
    return result;
}

int class_names_load(name_list *out, const char *path) {
    int result = 0, safetensors = 0;
    *out = (name_list){0};
    TRY(model_file_is_safetensors(path, &safetensors));
    TRY(safetensors ? load_text(out, path) : load_part(out, path));
done:
    return result;
}

/* SPDX-License-Identifier: MIT */
/* The two ways between a file's names and a model's. */
#include "exchange/source.h"

#include <stdio.h>
#include <string.h>

#include "base/assert.h"
#include "base/status.h"

static const char *const wrappers[] = {"module.", "model.", "_orig_mod."};
enum { WRAPPERS = sizeof wrappers / sizeof *wrappers };

/* Ends of LayerScale's names: timm's vision_transformer has the one, beit and DeiT-III the other. */
static const struct {
    const char *ours, *theirs;
} layer_scales[] = {{".ls1.gamma", ".gamma_1"}, {".ls2.gamma", ".gamma_2"}};
enum { LAYER_SCALES = sizeof layer_scales / sizeof *layer_scales };

/* The length of `text` before its `end`; 0 where it ends otherwise. */
static size_t length_before(const char *text, const char *end) {
    const size_t length = strlen(text), cut = strlen(end);
    return length > cut && strcmp(text + length - cut, end) == 0 ? length - cut : 0;
}

/* The wrapper that `name` begins with, or NULL. */
static const char *wrapper_of(const char *name) {
    for (int i = 0; i < WRAPPERS; i++)
        if (strncmp(name, wrappers[i], strlen(wrappers[i])) == 0) return wrappers[i];
    return NULL;
}

/* Whether all names have `wrapper`, and more behind it, after the prefix that they are known to have. */
static tgr_status all_have(const tgr_source *source, const char *wrapper, int *all) {
    const size_t length = strlen(wrapper);
    *all = 1;
    for (int64_t i = 0; *all && i < source->count; i++) {
        tgr_safetensors_entry entry = {.struct_size = sizeof entry};
        TGR_TRY(tgr_safetensors_entry_at(source->file, i, &entry));
        const char *rest = entry.name + source->prefix_length;
        *all = strncmp(rest, wrapper, length) == 0 && rest[length] != '\0';
    }
    return TGR_OK;
}

tgr_status tgr_source_open(tgr_source *source, const tgr_safetensors *file) {
    tgr_safetensors_entry first = {.struct_size = sizeof first};
    *source = (tgr_source){.file = file, .prefix = ""};
    source->count = tgr_safetensors_count(file);
    if (source->count == 0) return TGR_OK;
    TGR_TRY(tgr_safetensors_entry_at(file, 0, &first));
    source->prefix = first.name;
    for (;;) {
        const char *wrapper = wrapper_of(first.name + source->prefix_length);
        int all = 0;
        if (wrapper != NULL) TGR_TRY(all_have(source, wrapper, &all));
        if (!all) return TGR_OK;
        source->prefix_length += strlen(wrapper);
    }
}

/* The tensor whose name is the prefix, the first `length` bytes of `start`, and `end`; *index is -1 without. */
static tgr_status find_joined(const tgr_source *source, const char *start, size_t length, const char *end,
                              int64_t *index) {
    char name[2 * TGR_NAME_BYTES];
    *index = -1;
    if (source->prefix_length + length + strlen(end) >= sizeof name) return TGR_OK;
    snprintf(name, sizeof name, "%.*s%.*s%s", (int)source->prefix_length, source->prefix, (int)length, start, end);
    *index = tgr_safetensors_find(source->file, name);
    return TGR_OK;
}

tgr_status tgr_source_find_exactly(const tgr_source *source, const char *name, int64_t *index) {
    return find_joined(source, name, strlen(name), "", index);
}

tgr_status tgr_source_find(const tgr_source *source, const char *name, int *found, int64_t *index,
                           tgr_safetensors_entry *entry) {
    TGR_TRY(tgr_source_find_exactly(source, name, index));
    for (int i = 0; *index < 0 && i < LAYER_SCALES; i++) {
        const size_t length = length_before(name, layer_scales[i].ours);
        if (length > 0) TGR_TRY(find_joined(source, name, length, layer_scales[i].theirs, index));
    }
    *found = *index >= 0;
    entry->struct_size = sizeof *entry;
    return *found ? tgr_safetensors_entry_at(source->file, *index, entry) : TGR_OK;
}

tgr_status tgr_source_at(const tgr_source *source, int64_t index, char memory[TGR_NAME_BYTES],
                         tgr_safetensors_entry *entry) {
    entry->struct_size = sizeof *entry;
    TGR_TRY(tgr_safetensors_entry_at(source->file, index, entry));
    entry->name += source->prefix_length;
    for (int i = 0; i < LAYER_SCALES; i++) {
        const size_t length = length_before(entry->name, layer_scales[i].theirs);
        if (length == 0 || length + strlen(layer_scales[i].ours) >= TGR_NAME_BYTES) continue;
        snprintf(memory, TGR_NAME_BYTES, "%.*s%s", (int)length, entry->name, layer_scales[i].ours);
        entry->name = memory;
        return TGR_OK;
    }
    return TGR_OK;
}

const char *tgr_shape_write(char text[TGR_SHAPE_BYTES], int ndim, const int64_t *dims) {
    int used = snprintf(text, TGR_SHAPE_BYTES, "[");
    for (int i = 0; i < ndim; i++)
        used += snprintf(text + used, TGR_SHAPE_BYTES - (size_t)used, i ? ", %lld" : "%lld", (long long)dims[i]);
    TGR_ASSERT(used + 1 < TGR_SHAPE_BYTES);
    snprintf(text + used, TGR_SHAPE_BYTES - (size_t)used, "]");
    return text;
}

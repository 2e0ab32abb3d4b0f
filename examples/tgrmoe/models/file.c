/* SPDX-License-Identifier: MIT */
/* A safetensors file is recognised by its first bytes; everything else is taken for a checkpoint. */
#include "models/file.h"

#include <errno.h>
#include <string.h>

#include "failure.h"
#include "models/part.h"

int model_file_is_safetensors(const char *path, int *yes) {
    int result = 0;
    unsigned char start[9] = {0};
    FILE *file = fopen(path, "rb");
    if (!file) TRY(fail_with("%s: %s", path, strerror(errno)));
    const size_t count = fread(start, 1, sizeof start, file);
    if (ferror(file)) TRY(fail_with("%s: %s", path, strerror(errno)));
    *yes = count == sizeof start && start[7] == 0 && start[8] == '{'; /* the header's length, then the header */
done:
    if (file) fclose(file);
    return result;
}

/* The library's message names the tensor, this adds the file. */
#define LIBRARY_IN(path, call)                                                    \
    do {                                                                          \
        if ((call) != TGR_OK) TRY(fail_with("%s: %s", (path), tgr_last_error())); \
    } while (0)

static int check_heads(const char *path, const tgr_safetensors *file, const tgr_config *config, int given) {
    int result = 0;
    int64_t width = 0;
    const char *own = tgr_safetensors_text(file, "tgrmoe.heads");
    LIBRARY(tgr_config_get_i64(config, TGR_OPTION_EMBED_DIM, &width));
    if (own || given || width % HEAD_WIDTH == 0) goto done;
    TRY(
        fail_with("%s: its width is %lld, no multiple of %d, so the number of heads is not known; tgrmoe import with "
                  "--set heads=N makes a checkpoint that knows it",
                  path, (long long)width, HEAD_WIDTH));
done:
    return result;
}

typedef struct fitted_sizes {
    int64_t image_size, classes;
} fitted_sizes;

static int read_sizes(fitted_sizes *out, const tgr_config *config) {
    int result = 0;
    LIBRARY(tgr_config_get_i64(config, TGR_OPTION_IMAGE_SIZE, &out->image_size));
    LIBRARY(tgr_config_get_i64(config, TGR_OPTION_CLASSES, &out->classes));
done:
    return result;
}

static void say_differences(const char *path, const fitted_sizes *file, const fitted_sizes *model) {
    if (file->image_size != model->image_size) {
        fprintf(stderr, "%s: positions are resampled, for images of %lld pixels instead of %lld\n", path,
                (long long)model->image_size, (long long)file->image_size);
    }
    if (file->classes == model->classes) return;
    if (model->classes == 0) {
        fprintf(stderr, "%s: the head of %lld classes is left out\n", path, (long long)file->classes);
    } else {
        fprintf(stderr, "%s: the head is fresh, for %lld classes instead of %lld\n", path, (long long)model->classes,
                (long long)file->classes);
    }
}

int model_file_make(tgr_model **out, tgr_context *context, const tgr_safetensors *file, const char *path,
                    const tool_setting *settings, int count) {
    int result = 0, heads_given = 0;
    tgr_config *config = NULL;
    tgr_model *model = NULL;
    fitted_sizes before = {0}, after = {0};
    LIBRARY_IN(path, tgr_config_import(&config, context, file));
    TRY(read_sizes(&before, config));
    for (int i = 0; i < count; i++) {
        LIBRARY(tgr_config_set(config, settings[i].key, settings[i].value));
        if (strcmp(settings[i].key, "heads") == 0) heads_given = 1;
    }
    TRY(read_sizes(&after, config));
    TRY(check_heads(path, file, config, heads_given));
    LIBRARY(tgr_model_create(&model, context, config));
    const tgr_import_options options = {.struct_size = sizeof options,
                                        .resample = before.image_size != after.image_size,
                                        .fresh_head = before.classes != after.classes};
    LIBRARY_IN(path, tgr_model_import(model, file, &options));
    say_differences(path, &before, &after);
    *out = model;
    model = NULL;
done:
    tgr_model_free(model);
    tgr_config_free(config);
    return result;
}

int model_file_import(tgr_model **out, tgr_context *context, const char *path, const tool_setting *settings,
                      int count) {
    int result = 0;
    tgr_safetensors *file = NULL;
    LIBRARY(tgr_safetensors_open(&file, context, path));
    TRY(model_file_make(out, context, file, path, settings, count));
done:
    tgr_safetensors_close(file);
    return result;
}

int model_file_config(tgr_config **out, tgr_context *context, const char *path) {
    int result = 0, safetensors = 0;
    tgr_config *config = NULL;
    tgr_safetensors *file = NULL;
    TRY(model_file_is_safetensors(path, &safetensors));
    if (!safetensors) {
        LIBRARY(tgr_config_load(out, context, path, PART_MODEL));
        goto done;
    }
    LIBRARY(tgr_safetensors_open(&file, context, path));
    LIBRARY_IN(path, tgr_config_import(&config, context, file));
    TRY(check_heads(path, file, config, 0));
    *out = config;
    config = NULL;
done:
    tgr_config_free(config);
    tgr_safetensors_close(file);
    return result;
}

int model_file_open(tgr_model **out, tgr_context *context, const char *path) {
    int result = 0, safetensors = 0;
    TRY(model_file_is_safetensors(path, &safetensors));
    if (safetensors)
        TRY(model_file_import(out, context, path, NULL, 0));
    else
        LIBRARY(tgr_model_load(out, context, path, PART_MODEL));
done:
    return result;
}

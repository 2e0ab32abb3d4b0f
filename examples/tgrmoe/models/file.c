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

/* Fails where the library asks for more than is set. */
static int check_asked(tgr_context *context, const tgr_config *config, const char *path) {
    uint64_t bytes;
    const tgr_status status = tgr_model_estimate(context, config, 1, &bytes);
    if (status == TGR_OK) return 0;
    return fail_with(
        "%s: %s%s", path, tgr_last_error(),
        status == TGR_ERROR_OPTION ? " (--set KEY=VALUE says it; tgrmoe import makes a file that knows it)" : "");
}

/* What was looked up is said: a file of another model of the same sizes cannot be told from one that timm knows. */
static int say_looked_up(const char *path, const tgr_safetensors *file, const tgr_config *imported,
                         const tool_setting *settings, int count) {
    int result = 0, heads_given = 0, size_given = 0;
    int64_t heads = 0, size = 0;
    const char *own = tgr_safetensors_text(file, "tgrmoe.heads");
    LIBRARY(tgr_config_get_i64(imported, TGR_OPTION_HEADS, &heads));
    LIBRARY(tgr_config_get_i64(imported, TGR_OPTION_IMAGE_SIZE, &size));
    for (int i = 0; i < count; i++) {
        heads_given |= strcmp(settings[i].key, "heads") == 0;
        size_given |= strcmp(settings[i].key, "image_size") == 0;
    }
    if (own || (heads_given && size_given)) goto done;
    fprintf(stderr, "%s: as in timm's models of these sizes:", path);
    if (!heads_given) fprintf(stderr, " heads=%lld", (long long)heads);
    if (!size_given) fprintf(stderr, "%s square images of %lld pixels", heads_given ? "" : ",", (long long)size);
    fprintf(stderr, " (no shape tells it)\n");
done:
    return result;
}

int model_file_make(tgr_model **out, tgr_context *context, const tgr_safetensors *file, const char *path,
                    const tool_setting *settings, int count) {
    int result = 0;
    tgr_config *config = NULL, *imported = NULL;
    tgr_model *model = NULL;
    fitted_sizes before = {0}, after = {0};
    LIBRARY_IN(path, tgr_config_import(&config, context, file));
    TRY(read_sizes(&before, config));
    LIBRARY(tgr_config_copy(&imported, config));
    for (int i = 0; i < count; i++) {
        LIBRARY(tgr_config_set(config, settings[i].key, settings[i].value));
    }
    TRY(read_sizes(&after, config));
    TRY(check_asked(context, config, path));
    LIBRARY(tgr_model_create(&model, context, config));
    const tgr_import_options options = {.struct_size = sizeof options,
                                        .resample = before.image_size != after.image_size,
                                        .fresh_head = before.classes != after.classes};
    LIBRARY_IN(path, tgr_model_import(model, file, &options));
    TRY(say_looked_up(path, file, imported, settings, count));
    say_differences(path, &before, &after);
    *out = model;
    model = NULL;
done:
    tgr_model_free(model);
    tgr_config_free(imported);
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

int model_file_settings(tool_setting out[MODEL_FILE_SETTINGS], const tool_arguments *arguments) {
    static const char *const keys[MODEL_FILE_SETTINGS] = {"heads", "image_size", "layer_scale"};
    int count = 0;
    for (int i = 0; i < MODEL_FILE_SETTINGS; i++) {
        const char *value = arguments_setting(arguments, keys[i]);
        if (!value) continue;
        out[count] = (tool_setting){.value = value};
        snprintf(out[count++].key, sizeof out->key, "%s", keys[i]);
    }
    return count;
}

int model_file_any_config(tgr_config **out, tgr_context *context, const char *path) {
    int result = 0, safetensors = 0;
    tgr_safetensors *file = NULL;
    TRY(model_file_is_safetensors(path, &safetensors));
    if (!safetensors) {
        LIBRARY(tgr_config_load(out, context, path, PART_MODEL));
        goto done;
    }
    LIBRARY(tgr_safetensors_open(&file, context, path));
    LIBRARY_IN(path, tgr_config_import(out, context, file));
done:
    tgr_safetensors_close(file);
    return result;
}

int model_file_config(tgr_config **out, tgr_context *context, const char *path, const tool_setting *settings,
                      int count) {
    int result = 0, safetensors = 0;
    tgr_config *config = NULL;
    TRY(model_file_is_safetensors(path, &safetensors));
    TRY(model_file_any_config(&config, context, path));
    for (int i = 0; safetensors && i < count; i++) {
        LIBRARY(tgr_config_set(config, settings[i].key, settings[i].value));
    }
    TRY(check_asked(context, config, path));
    *out = config;
    config = NULL;
done:
    tgr_config_free(config);
    return result;
}

static int open_model(tgr_model **out, tgr_context *context, const char *path, const tool_setting *settings,
                      int count) {
    int result = 0, safetensors = 0;
    TRY(model_file_is_safetensors(path, &safetensors));
    if (!safetensors && count > 0) TRY(fail_usage("--set %s: %s says itself what it is", settings[0].key, path));
    if (safetensors)
        TRY(model_file_import(out, context, path, settings, count));
    else
        LIBRARY(tgr_model_load(out, context, path, PART_MODEL));
done:
    return result;
}

int model_file_open(tgr_model **out, tgr_context *context, const char *path) {
    return open_model(out, context, path, NULL, 0);
}

int model_file_open_set(tgr_model **out, tgr_context *context, const char *path, const tool_arguments *arguments) {
    return open_model(out, context, path, arguments->settings, arguments->setting_count);
}

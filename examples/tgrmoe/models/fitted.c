/* SPDX-License-Identifier: MIT */
/* Only import from safetensors can change images and classes, so a checkpoint is first exported to a temporary file. */
#include "models/fitted.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "failure.h"
#include "models/file.h"
#include "models/part.h"

enum { SETTINGS = 4 };

/* Takes over from `like` what images and classes make necessary, and what no shape tells where the file does not say it
 * itself and the rest is alike. */
static int find_settings(tool_setting settings[SETTINGS], char values[SETTINGS][32], int *count, const tgr_config *own,
                         const tgr_config *like, int says_all) {
    int result = 0;
    int64_t size = 0, patch = 0, width = 0, like_width = 0;
    double scale = 0;
    const char *keys[SETTINGS] = {"classes"};
    *count = 1;
    LIBRARY(tgr_config_get_i64(like, TGR_OPTION_IMAGE_SIZE, &size));
    LIBRARY(tgr_config_get_i64(own, TGR_OPTION_PATCH_SIZE, &patch));
    LIBRARY(tgr_config_get_i64(own, TGR_OPTION_EMBED_DIM, &width));
    LIBRARY(tgr_config_get_i64(like, TGR_OPTION_EMBED_DIM, &like_width));
    LIBRARY(tgr_config_get_f64(like, TGR_OPTION_LAYER_SCALE, &scale));
    if (size % patch == 0) keys[(*count)++] = "image_size";
    if (width == like_width && !says_all) keys[(*count)++] = "heads";
    if (width == like_width && !says_all && scale > 0) keys[(*count)++] = "layer_scale";
    for (int i = 0; i < *count; i++) {
        LIBRARY(tgr_config_get(like, keys[i], values[i], sizeof values[i]));
        settings[i] = (tool_setting){.value = values[i]};
        snprintf(settings[i].key, sizeof settings[i].key, "%s", keys[i]);
    }
done:
    return result;
}

static int export_unnamed(tgr_safetensors **out, tgr_context *context, const char *path) {
    int result = 0, file = -1;
    char place[4096] = "";
    const char *folder = getenv("TMPDIR");
    tgr_model *model = NULL;
    LIBRARY(tgr_model_load(&model, context, path, PART_MODEL));
    snprintf(place, sizeof place, "%s/tgrmoe-XXXXXX", folder && *folder ? folder : "/tmp");
    file = mkstemp(place);
    if (file < 0) TRY(fail_with("%s: %s", place, strerror(errno)));
    LIBRARY(tgr_model_export(model, place, NULL));
    LIBRARY(tgr_safetensors_open(out, context, place));
done:
    if (file >= 0) {
        close(file);
        unlink(place);
    }
    tgr_model_free(model);
    return result;
}

/* The file itself, or the temporary file that a checkpoint's model is exported to. */
static int open_as_safetensors(tgr_safetensors **out, tgr_context *context, const char *path) {
    int result = 0, safetensors = 0;
    TRY(model_file_is_safetensors(path, &safetensors));
    if (!safetensors)
        TRY(export_unnamed(out, context, path));
    else
        LIBRARY(tgr_safetensors_open(out, context, path));
done:
    return result;
}

/* Whether a model must change to have the images and classes of another model of the same width. */
static int must_change(const tgr_config *own, const tgr_config *like, int *yes) {
    static const tgr_option options[] = {TGR_OPTION_IMAGE_SIZE, TGR_OPTION_CLASSES, TGR_OPTION_EMBED_DIM};
    int result = 0, differs[3] = {0};
    for (int i = 0; i < 3; i++) {
        int64_t a = 0, b = 0;
        LIBRARY(tgr_config_get_i64(own, options[i], &a));
        LIBRARY(tgr_config_get_i64(like, options[i], &b));
        differs[i] = a != b;
    }
    *yes = (differs[0] || differs[1]) && !differs[2];
done:
    return result;
}

int model_file_open_like(tgr_model **out, tgr_context *context, const char *path, const tgr_model *like) {
    int result = 0, safetensors = 0, changes = 1, count = 0;
    tgr_safetensors *file = NULL;
    tgr_config *own = NULL;
    tool_setting settings[SETTINGS];
    char values[SETTINGS][32];
    TRY(model_file_is_safetensors(path, &safetensors));
    const tgr_config *config = tgr_model_config(like);
    if (!safetensors) {
        LIBRARY(tgr_config_load(&own, context, path, PART_MODEL));
        TRY(must_change(own, config, &changes));
    }
    if (!changes) {
        LIBRARY(tgr_model_load(out, context, path, PART_MODEL));
        goto done;
    }
    TRY(open_as_safetensors(&file, context, path));
    if (!own && tgr_config_import(&own, context, file) != TGR_OK) TRY(fail_with("%s: %s", path, tgr_last_error()));
    const char *says_all = tgr_safetensors_text(file, "tgrmoe.heads");
    TRY(find_settings(settings, values, &count, own, config, says_all != NULL));
    TRY(model_file_make(out, context, file, path, settings, count));
done:
    tgr_config_free(own);
    tgr_safetensors_close(file);
    return result;
}

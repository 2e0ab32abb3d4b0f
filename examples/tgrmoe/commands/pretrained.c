/* SPDX-License-Identifier: MIT */
/* Which of its options still apply. */
#include "commands/pretrained.h"

#include <stdio.h>
#include <string.h>

#include "commands/options.h"
#include "failure.h"
#include "models/file.h"

/* Options of any method that determine the shapes of weights. */
static const char *const shapes[] = {"image_size",  "channels",     "patch_size",  "embed_dim",
                                     "depth",       "heads",        "mlp_ratio",   "distillation_token",
                                     "layer_scale", "position_cls", "norm_epsilon"};

/* Options of a sparse model that concern only its past training and are dropped or, if a value is given, set to it:
 * routing that changed over time stays as it was at the end. */
static const tool_setting past[] = {
    {"upcycle", NULL},         {"upcycle_noise", NULL}, {"guidance_start", NULL},
    {"guidance_end", NULL},    {"teacher_lr", NULL},    {"teacher_cache_mb", NULL},
    {"router_init_std", NULL}, {"stable_stage1", "0"},  {"evo_dense_share", "0"},
};

static int is_shape(const char *key) {
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
        if (strcmp(shapes[i], key) == 0) return 1;
    }
    return 0;
}

static const tool_setting *find_past(const char *key) {
    for (size_t i = 0; i < sizeof past / sizeof *past; i++) {
        if (strcmp(past[i].key, key) == 0) return &past[i];
    }
    return NULL;
}

static int take(pretrained *out, const tgr_config *config, const char *key) {
    int result = 0;
    const tool_setting *fixed = find_past(key);
    if (fixed && !fixed->value) goto done;
    if (out->count == PRETRAINED_SETTINGS) TRY(fail_with("more than %d options", PRETRAINED_SETTINGS));
    tool_setting *setting = &out->settings[out->count];
    char *value = out->values[out->count];
    snprintf(setting->key, sizeof setting->key, "%s", key);
    LIBRARY(tgr_config_get(config, key, value, PRETRAINED_VALUE));
    setting->value = fixed ? fixed->value : value;
    out->count++;
done:
    return result;
}

/* From a sparse model, the options of its method and of its MoE layers are taken, too. */
static int take_all(pretrained *out, const tgr_config *config) {
    int result = 0;
    const int64_t method = tgr_method_find(out->method);
    for (int64_t i = 0; i < tgr_option_count(); i++) {
        tgr_option_description option = {.struct_size = sizeof option};
        LIBRARY(tgr_option_describe(tgr_option_at(i), &option));
        const int of_layers = strcmp(option.key, "experts") == 0 || strcmp(option.key, "moe_blocks") == 0;
        const int of_method = *option.trait && tgr_method_uses_option(method, tgr_option_at(i));
        if (is_shape(option.key) || (!out->dense && (of_layers || of_method))) TRY(take(out, config, option.key));
    }
done:
    return result;
}

int pretrained_read(pretrained *out, const char *path, const tool_arguments *arguments) {
    int result = 0;
    tool_setting settings[MODEL_FILE_SETTINGS];
    const int count = model_file_settings(settings, arguments);
    tgr_context *context = NULL;
    tgr_config *config = NULL;
    const tgr_context_options options = {.struct_size = sizeof options, .threads = 1};
    LIBRARY(tgr_context_create(&context, &options));
    TRY(model_file_config(&config, context, path, settings, count));
    LIBRARY(tgr_config_get(config, "method", out->method, sizeof out->method));
    LIBRARY(tgr_config_get_i64(config, TGR_OPTION_DEPTH, &out->depth));
    out->dense = strcmp(out->method, "dense") == 0;
    TRY(take_all(out, config));
done:
    tgr_config_free(config);
    tgr_context_free(context);
    return result;
}

/* SPDX-License-Identifier: MIT */
/* tgrmoe import and tgrmoe export: between checkpoints and safetensors files. */
#include <stdlib.h>
#include <string.h>

#include "commands/commands.h"
#include "failure.h"
#include "models/class_names.h"
#include "models/file.h"

/* What the file says of images, else DeiT's preprocessing; the command line has the last word. */
static int find_preprocessing(preprocessing *out, const char *path, const tool_arguments *arguments, int *known) {
    int result = 0;
    const struct {
        const char *key, *text;
    } given[] = {{"mean", arguments->mean},
                 {"std", arguments->deviation},
                 {"crop_pct", arguments->crop},
                 {"interpolation", arguments->interpolation}};
    preprocessing_defaults(out);
    TRY(model_file_preprocessing(out, path, known));
    for (size_t i = 0; i < sizeof given / sizeof *given; i++) {
        if (!given[i].text) continue;
        TRY(preprocessing_read(out, given[i].key, given[i].text));
        *known = 1;
    }
    TRY(preprocessing_check(out, path));
done:
    return result;
}

/* Names of other classes than those of the model, whose head is new then, are no use. */
static int find_names(name_list *out, const char *path, tgr_model *model) {
    int result = 0;
    int64_t classes = 0;
    const tgr_config *config = NULL;
    TRY(class_names_load(out, path));
    LIBRARY(tgr_model_config(model, &config));
    LIBRARY(tgr_config_get_i64(config, TGR_OPTION_CLASSES, &classes));
    if (out->count != classes) name_list_free(out);
done:
    return result;
}

static int save_checkpoint(tgr_context *context, tgr_model *model, preprocessing *images, const name_list *names,
                           const char *path) {
    int result = 0;
    uint64_t size = 0;
    char *bytes = NULL;
    tgr_checkpoint *file = NULL;
    TRY(class_names_pack(&bytes, &size, names));
    LIBRARY(tgr_checkpoint_create(&file, context));
    LIBRARY(tgr_checkpoint_add_model(file, "model", model));
    LIBRARY(tgr_checkpoint_add_bytes(file, "preprocessing", images, sizeof *images));
    if (size > 0) LIBRARY(tgr_checkpoint_add_bytes(file, "classes", bytes, size));
    LIBRARY(tgr_checkpoint_save(file, path));
done:
    free(bytes);
    tgr_checkpoint_free(file);
    return result;
}

static int print_summary(const char *path, tgr_model *model) {
    static const char *const keys[] = {"method", "image_size", "patch_size", "embed_dim", "depth", "heads", "classes"};
    int result = 0;
    int64_t total = 0;
    const tgr_config *config = NULL;
    LIBRARY(tgr_model_config(model, &config));
    LIBRARY(tgr_model_parameter_counts(model, &total, NULL));
    printf("%s: %lld parameters", path, (long long)total);
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        char value[1024];
        LIBRARY(tgr_config_get(config, keys[i], value, sizeof value));
        printf(", %s=%s", keys[i], value);
    }
    printf("\n");
done:
    return result;
}

static int open_context(tgr_context **out, const tool_arguments *arguments) {
    int result = 0;
    const tgr_context_options options = {
        .struct_size = sizeof options, .threads = 1, .seed = arguments->seed == UNSET ? 1 : (uint64_t)arguments->seed};
    LIBRARY(tgr_context_create(out, &options));
done:
    return result;
}

int command_import(const tool_arguments *arguments) {
    int result = 0, known = 0, safetensors = 0;
    tgr_context *context = NULL;
    tgr_model *model = NULL;
    name_list names = {0};
    preprocessing images;
    if (arguments->file_count != 2) TRY(fail_usage("import: two files are needed, IN.safetensors and OUT"));
    const char *from = arguments->files[0], *to = arguments->files[1];
    TRY(model_file_is_safetensors(from, &safetensors));
    if (!safetensors) TRY(fail_with("%s is no safetensors file", from));
    TRY(open_context(&context, arguments));
    TRY(model_file_import(&model, context, from, arguments->settings, arguments->setting_count));
    TRY(find_preprocessing(&images, from, arguments, &known));
    TRY(find_names(&names, from, model));
    TRY(save_checkpoint(context, model, &images, &names, to));
    TRY(print_summary(to, model));
done:
    name_list_free(&names);
    tgr_model_free(model);
    tgr_context_free(context);
    return result;
}

/* A model of one channel has one mean and one deviation. */
static void cut_channels(preprocessing_text texts[PREPROCESSING_TEXTS], int64_t channels) {
    for (int i = 0; i < PREPROCESSING_TEXTS && channels == 1; i++) texts[i].text[strcspn(texts[i].text, ",")] = '\0';
}

int command_export(const tool_arguments *arguments) {
    int result = 0, known = 0, count = 0;
    int64_t channels = 0;
    tgr_context *context = NULL;
    tgr_model *model = NULL;
    const tgr_config *config = NULL;
    preprocessing images;
    preprocessing_text written[PREPROCESSING_TEXTS];
    tgr_text texts[PREPROCESSING_TEXTS + 1];
    name_list names = {0};
    char *label_names = NULL;
    if (arguments->file_count != 2) TRY(fail_usage("export: two files are needed, MODEL and OUT.safetensors"));
    const char *from = arguments->files[0], *to = arguments->files[1];
    TRY(open_context(&context, arguments));
    TRY(model_file_open(&model, context, from));
    LIBRARY(tgr_model_config(model, &config));
    LIBRARY(tgr_config_get_i64(config, TGR_OPTION_CHANNELS, &channels));
    TRY(find_preprocessing(&images, from, arguments, &known));
    preprocessing_write(&images, written);
    cut_channels(written, channels);
    for (int i = 0; known && i < PREPROCESSING_TEXTS; i++) texts[count++] = (tgr_text){written[i].key, written[i].text};
    TRY(find_names(&names, from, model));
    TRY(class_names_text(&label_names, &names));
    if (label_names) texts[count++] = (tgr_text){"label_names", label_names};
    LIBRARY(tgr_model_export(model, to, arguments->bf16 ? TGR_ELEMENT_BF16 : TGR_ELEMENT_F32, texts, count));
    TRY(print_summary(to, model));
done:
    free(label_names);
    name_list_free(&names);
    tgr_model_free(model);
    tgr_context_free(context);
    return result;
}

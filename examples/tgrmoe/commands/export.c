/* SPDX-License-Identifier: MIT */
/* A dense model is written so that timm can load it. */
#include "commands/export.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "commands/exchange.h"
#include "failure.h"
#include "models/class_names.h"
#include "models/file.h"
#include "models/saved_preprocessing.h"

/* A model with one channel has one mean and one deviation. */
static void cut_channels(preprocessing_text texts[PREPROCESSING_TEXTS], int64_t channels) {
    for (int i = 0; i < PREPROCESSING_TEXTS && channels == 1; i++) texts[i].text[strcspn(texts[i].text, ",")] = '\0';
}

/* "key, text" number `*count` of the texts that the library writes. */
static void add_text(const char **texts, int64_t *count, const char *key, const char *text) {
    texts[2 * *count] = key;
    texts[2 * *count + 1] = text;
    ++*count;
}

int command_export(const tool_arguments *arguments) {
    int result = 0;
    int64_t channels = 0;
    tgr_context *context = NULL;
    tgr_model *model = NULL;
    preprocessing images;
    preprocessing_text written[PREPROCESSING_TEXTS];
    const char *texts[2 * (PREPROCESSING_TEXTS + 1)];
    tgr_export_options options = {.struct_size = sizeof options, .texts = texts};
    name_list names = {0};
    char *label_names = NULL;
    if (arguments->file_count != 2) TRY(fail_usage("export: two files are needed, MODEL and OUT.safetensors"));
    const char *from = arguments->files[0], *to = arguments->files[1];
    TRY(exchange_context(&context, arguments));
    TRY(model_file_open(&model, context, from));
    const tgr_config *config = tgr_model_config(model);
    LIBRARY(tgr_config_get_i64(config, TGR_OPTION_CHANNELS, &channels));
    TRY(model_file_preprocessing(&images, from, arguments));
    preprocessing_write(&images, written);
    cut_channels(written, channels);
    for (int i = 0; i < PREPROCESSING_TEXTS; i++) {
        if (!written[i].assumed) add_text(texts, &options.text_count, written[i].key, written[i].text);
    }
    if (images.assumed != 0) fprintf(stderr, "%s: what nobody said of its images is left out of %s\n", from, to);
    TRY(exchange_names(&names, from, model, NULL));
    TRY(class_names_text(&label_names, &names));
    if (label_names) add_text(texts, &options.text_count, "label_names", label_names);
    options.element = arguments->bf16 ? TGR_ELEMENT_BF16 : TGR_ELEMENT_F32;
    LIBRARY(tgr_model_export(model, to, &options));
    TRY(exchange_summary(to, model));
done:
    free(label_names);
    name_list_free(&names);
    tgr_model_free(model);
    tgr_context_free(context);
    return result;
}

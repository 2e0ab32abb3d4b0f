/* SPDX-License-Identifier: MIT */
/* A dense model comes out as timm loads it. */
#include "commands/export.h"

#include <stdlib.h>
#include <string.h>

#include "commands/exchange.h"
#include "failure.h"
#include "models/class_names.h"
#include "models/file.h"

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
    TRY(exchange_context(&context, arguments));
    TRY(model_file_open(&model, context, from));
    LIBRARY(tgr_model_config(model, &config));
    LIBRARY(tgr_config_get_i64(config, TGR_OPTION_CHANNELS, &channels));
    TRY(exchange_preprocessing(&images, from, arguments, &known));
    preprocessing_write(&images, written);
    cut_channels(written, channels);
    for (int i = 0; known && i < PREPROCESSING_TEXTS; i++) texts[count++] = (tgr_text){written[i].key, written[i].text};
    TRY(exchange_names(&names, from, model));
    TRY(class_names_text(&label_names, &names));
    if (label_names) texts[count++] = (tgr_text){"label_names", label_names};
    LIBRARY(tgr_model_export(model, to, arguments->bf16 ? TGR_ELEMENT_BF16 : TGR_ELEMENT_F32, texts, count));
    TRY(exchange_summary(to, model));
done:
    free(label_names);
    name_list_free(&names);
    tgr_model_free(model);
    tgr_context_free(context);
    return result;
}

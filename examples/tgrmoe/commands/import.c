/* SPDX-License-Identifier: MIT */
/* The file is a vision transformer with timm's names, or a student that export wrote. */
#include "commands/import.h"

#include <stdlib.h>

#include "commands/exchange.h"
#include "failure.h"
#include "models/class_names.h"
#include "models/file.h"
#include "models/part.h"
#include "models/saved_preprocessing.h"

static int save_checkpoint(tgr_context *context, tgr_model *model, preprocessing *images, const name_list *names,
                           const char *path) {
    int result = 0;
    uint64_t size = 0;
    char *bytes = NULL;
    tgr_checkpoint *file = NULL;
    TRY(class_names_pack(&bytes, &size, names));
    LIBRARY(tgr_checkpoint_create(&file, context));
    LIBRARY(tgr_checkpoint_add_model(file, PART_MODEL, model));
    LIBRARY(tgr_checkpoint_add_bytes(file, PART_PREPROCESSING, images, sizeof *images));
    if (size > 0) LIBRARY(tgr_checkpoint_add_bytes(file, PART_CLASSES, bytes, size));
    LIBRARY(tgr_checkpoint_save(file, path));
done:
    free(bytes);
    tgr_checkpoint_free(file);
    return result;
}

int command_import(const tool_arguments *arguments) {
    int result = 0, safetensors = 0;
    tgr_context *context = NULL;
    tgr_model *model = NULL;
    name_list names = {0};
    preprocessing images;
    if (arguments->file_count != 2) TRY(fail_usage("import: two files are needed, IN.safetensors and OUT"));
    const char *from = arguments->files[0], *to = arguments->files[1];
    TRY(model_file_is_safetensors(from, &safetensors));
    if (!safetensors) TRY(fail_with("%s is not a safetensors file", from));
    TRY(exchange_context(&context, arguments));
    TRY(model_file_import(&model, context, from, arguments->settings, arguments->setting_count));
    TRY(model_file_preprocessing(&images, from, arguments));
    preprocessing_say_assumed(&images, from);
    TRY(exchange_names(&names, from, model, arguments->class_order));
    TRY(save_checkpoint(context, model, &images, &names, to));
    TRY(exchange_summary(to, model));
done:
    name_list_free(&names);
    tgr_model_free(model);
    tgr_context_free(context);
    return result;
}

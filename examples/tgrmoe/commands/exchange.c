/* SPDX-License-Identifier: MIT */
/* From flags, and from files of either kind. */
#include "commands/exchange.h"

#include <stdio.h>

#include "data/class_order.h"
#include "failure.h"
#include "models/class_names.h"

int exchange_context(tgr_context **out, const tool_arguments *arguments) {
    int result = 0;
    const tgr_context_options options = {
        .struct_size = sizeof options, .threads = 1, .seed = arguments->seed == UNSET ? 1 : (uint64_t)arguments->seed};
    LIBRARY(tgr_context_create(out, &options));
done:
    return result;
}

int exchange_names(name_list *out, const char *path, tgr_model *model, const char *list) {
    int result = 0;
    int64_t classes = 0;
    if (list) TRY(class_order_read(out, list));
    if (!list) TRY(class_names_load(out, path));
    const tgr_config *config = tgr_model_config(model);
    LIBRARY(tgr_config_get_i64(config, TGR_OPTION_CLASSES, &classes));
    if (list && out->count != classes) {
        TRY(fail_usage("--class-order %s: names %lld classes; the model has %lld", list, (long long)out->count,
                       (long long)classes));
    }
    if (out->count != classes) name_list_free(out);
done:
    return result;
}

int exchange_summary(const char *path, tgr_model *model) {
    static const char *const keys[] = {"method", "image_size", "patch_size", "embed_dim", "depth", "heads", "classes"};
    int result = 0;
    const tgr_config *config = tgr_model_config(model);
    printf("%s: %lld parameters", path, (long long)tgr_parameters_number_count(tgr_model_parameters(model)));
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        char value[1024];
        LIBRARY(tgr_config_get(config, keys[i], value, sizeof value));
        printf(", %s=%s", keys[i], value);
    }
    printf("\n");
done:
    return result;
}

/* SPDX-License-Identifier: MIT */
/* The config of the model in a file. */
#include "base/config.h"

#include "base/status.h"
#include "exchange/match.h"
#include "exchange/sizes.h"
#include "exchange/texts.h"

/* A few texts can describe a model of any size. Refuses what is not in the file, before memory is taken for it. */
static tgr_status check_plan(tgr_context *context, const tgr_config *config, const tgr_source *source) {
    const tgr_import_options strict = {.struct_size = sizeof strict, .ignore_unknown = 1};
    const int64_t depth = tgr_option_i64(config, TGR_OPTION_DEPTH);
    tgr_model *plan = NULL;
    TGR_REQUIRE(depth <= source->count, TGR_ERROR_FILE_MISMATCH,
                "the file's %lld tensors are too few for the %lld blocks that its texts describe",
                (long long)source->count, (long long)depth);
    tgr_status status = tgr_model_assemble(&plan, context, config);
    if (status == TGR_ERROR_MEMORY) return status;
    if (status != TGR_OK)
        return tgr_fail(TGR_ERROR_FILE_MISMATCH, "the file does not describe a valid model: %s", tgr_last_reason());
    status = tgr_match_check(plan, source, &strict);
    tgr_model_free(plan);
    return status;
}

tgr_status tgr_config_import(tgr_config **out, tgr_context *context, const tgr_safetensors *file) {
    TGR_ENTER;
    TGR_REQUIRE_ARGUMENT(out);
    TGR_REQUIRE_ARGUMENT(context);
    TGR_REQUIRE_ARGUMENT(file);
    tgr_config *config = NULL;
    tgr_source source;
    TGR_TRY(tgr_source_open(&source, file));
    TGR_TRY(tgr_config_create(&config, context));
    tgr_status status = TGR_OK;
    TGR_TRY_DONE(tgr_texts_are_present(file) ? tgr_texts_read(config, file) : tgr_sizes_read(config, &source));
    TGR_TRY_DONE(check_plan(context, config, &source));
    *out = config;
done:
    if (status != TGR_OK) tgr_config_free(config);
    return status;
}

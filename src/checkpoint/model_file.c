/* SPDX-License-Identifier: MIT */
/* Creating a config or a model from a file. */
#define _FILE_OFFSET_BITS 64
#include <sys/stat.h>

#include "base/memory.h"
#include "base/status.h"
#include "checkpoint/file_error.h"
#include "checkpoint/object.h"
#include "checkpoint/options_text.h"
#include "model/model.h"

static tgr_status read_config(tgr_config **out, tgr_entry_list *list, const char *path, const char *name, char *text) {
    char misfit[TGR_MISFIT_BYTES];
    const int64_t most = TGR_OPTIONS_TEXT_BYTES;
    TGR_TRY(tgr_entry_add(list, name, ".options", NULL, TGR_SECTION_U8, 1, &most, text,
                          TGR_ENTRY_OWN | TGR_ENTRY_FLEXIBLE));
    TGR_TRY(tgr_entries_read(list, path, 0, misfit));
    TGR_REQUIRE(misfit[0] == '\0', TGR_ERROR_FILE_MISMATCH, "there is no model '%s' in the file: %s", name, misfit);
    return tgr_options_read(out, list->context, text, (size_t)list->entries[0].header.raw_bytes, path);
}

tgr_status tgr_config_load(tgr_config **out, tgr_context *context, const char *path, const char *name) {
    TGR_ENTER;
    TGR_REQUIRE_ARGUMENT(out);
    TGR_REQUIRE_ARGUMENT(context);
    TGR_REQUIRE_ARGUMENT(path);
    TGR_REQUIRE_ARGUMENT(name);
    TGR_TRY(tgr_object_check_name(name));
    tgr_entry_list list = {.context = context};
    char *text = NULL;
    tgr_status status = TGR_OK;
    TGR_TRY_DONE(tgr_allocate(context, (void **)&text, TGR_OPTIONS_TEXT_BYTES, 1));
    TGR_TRY_DONE(read_config(out, &list, path, name, text));
done:
    tgr_entries_free(&list);
    tgr_release(context, text, TGR_OPTIONS_TEXT_BYTES, 1);
    return status;
}

/* The file is too small for what its options describe. */
static tgr_status too_small(const char *path, int64_t size, const char *what, int64_t count) {
    return tgr_fail(TGR_ERROR_FILE_MISMATCH, "'%s' of %lld bytes cannot hold the %lld %s that its options describe",
                    path, (long long)size, (long long)count, what);
}

/* A config of a few bytes can describe a model of any size. Refuses one that cannot be in the file: each block has at
 * least one section, and compression has a limit. */
static tgr_status check_size(tgr_context *context, const tgr_config *config, const char *path) {
    struct stat state;
    tgr_model *plan = NULL;
    if (stat(path, &state) != 0) return tgr_file_fail(path, "cannot be opened");
    const int64_t size = (int64_t)state.st_size, depth = tgr_option_i64(config, TGR_OPTION_DEPTH);
    if (depth > size / TGR_SECTION_HEADER_BYTES) return too_small(path, size, "blocks", depth);
    TGR_TRY(tgr_model_assemble(&plan, context, config));
    const int64_t weights = tgr_parameters_number_count(tgr_model_parameters(plan));
    tgr_model_free(plan);
    return weights / (int64_t)TGR_DEFLATE_MAX_RATIO <= size ? TGR_OK : too_small(path, size, "weights", weights);
}

static tgr_status load_into(tgr_context *context, tgr_model *model, const char *path, const char *name) {
    tgr_checkpoint *checkpoint = NULL;
    TGR_TRY(tgr_checkpoint_create(&checkpoint, context));
    tgr_status status = TGR_OK;
    TGR_TRY_DONE(tgr_checkpoint_add_model(checkpoint, name, model));
    TGR_TRY_DONE(tgr_checkpoint_load(checkpoint, path));
done:
    tgr_checkpoint_free(checkpoint);
    return status;
}

tgr_status tgr_model_load(tgr_model **out, tgr_context *context, const char *path, const char *name) {
    TGR_ENTER;
    TGR_REQUIRE_ARGUMENT(out);
    tgr_status status = TGR_OK;
    tgr_config *config = NULL;
    tgr_model *model = NULL;
    TGR_TRY_DONE(tgr_config_load(&config, context, path, name));
    TGR_TRY_DONE(check_size(context, config, path));
    TGR_TRY_DONE(tgr_model_create(&model, context, config));
    TGR_TRY_DONE(load_into(context, model, path, name));
    *out = model;
done:
    if (status != TGR_OK) tgr_model_free(model);
    tgr_config_free(config);
    return status;
}

/* SPDX-License-Identifier: MIT */
/* The parts of a checkpoint or the tensors of a safetensors file, then the model, if there is one. */
#include "commands/info.h"

#include <string.h>

#include "commands/info_safetensors.h"
#include "failure.h"
#include "models/file.h"
#include "models/part.h"
#include "models/run_state.h"
#include "models/saved_preprocessing.h"

typedef struct tool_listing {
    int has_model, has_host; /* parts that this tool writes */
    uint64_t parts, bytes, stored_bytes;
} tool_listing;

static int print_part(void *user, const tgr_section *part) {
    tool_listing *listing = user;
    char shape[128] = "";
    for (int i = 0; i < part->ndim; i++) {
        const size_t used = strlen(shape);
        snprintf(shape + used, sizeof shape - used, "%s%lld", i ? ", " : "", (long long)part->dims[i]);
    }
    printf("  %-44s %-3s [%s]  %llu bytes, %llu stored\n", part->name, part->type, shape,
           (unsigned long long)part->bytes, (unsigned long long)part->stored_bytes);
    if (strncmp(part->name, PART_MODEL "/", strlen(PART_MODEL "/")) == 0) listing->has_model = 1;
    if (strncmp(part->name, PART_RUN, strlen(PART_RUN)) == 0) listing->has_host = 1;
    listing->parts++;
    listing->bytes += part->bytes;
    listing->stored_bytes += part->stored_bytes;
    return 0;
}

static int print_model(tgr_context *context, const char *path) {
    int result = 0;
    tgr_model *model = NULL;
    tgr_model_description sizes = {.struct_size = sizeof sizes};
    TRY(model_file_open(&model, context, path));
    const tgr_config *config = tgr_model_config(model);
    LIBRARY(tgr_model_describe(model, &sizes));
    printf("model: %lld parameters, %lld active, %lld MoE layers\n", (long long)sizes.parameters,
           (long long)sizes.active_parameters, (long long)sizes.moe_layers);
    for (int64_t i = 0; i < tgr_option_count(); i++) {
        tgr_option_description option = {.struct_size = sizeof option};
        char value[1024];
        LIBRARY(tgr_option_describe(tgr_option_at(i), &option));
        LIBRARY(tgr_config_get(config, option.key, value, sizeof value));
        printf("  %s=%s\n", option.key, value);
    }
done:
    tgr_model_free(model);
    return result;
}

static int print_preprocessing(const char *path, const tool_arguments *arguments) {
    int result = 0;
    preprocessing images;
    preprocessing_text texts[PREPROCESSING_TEXTS];
    TRY(model_file_preprocessing(&images, path, arguments));
    preprocessing_write(&images, texts);
    printf("images:");
    for (int i = 0; i < PREPROCESSING_TEXTS; i++) {
        printf(" %s=%s%s", texts[i].key, texts[i].text, texts[i].assumed ? " (assumed)" : "");
    }
    printf("\n");
done:
    return result;
}

static int print_run(const char *path) {
    int result = 0;
    run_state state = {0};
    TRY(run_state_read(&state, path));
    const int64_t per_epoch = state.images >= state.batch ? state.images / state.batch : 1;
    printf(
        "run: step %lld (%lld epochs of %lld steps done, %lld into the next), seed %lld, batch %lld, %lld training "
        "images%s\n",
        (long long)state.step, (long long)(state.step / per_epoch), (long long)per_epoch,
        (long long)(state.step % per_epoch), (long long)state.seed, (long long)state.batch, (long long)state.images,
        state.shuffle ? "" : ", not shuffled");
done:
    return result;
}

static int print_checkpoint(tgr_context *context, const char *path, const tool_arguments *arguments) {
    int result = 0;
    tool_listing listing = {0};
    LIBRARY(tgr_checkpoint_list(context, path, print_part, &listing));
    printf("%llu parts, %llu bytes, %llu stored\n", (unsigned long long)listing.parts,
           (unsigned long long)listing.bytes, (unsigned long long)listing.stored_bytes);
    if (listing.has_model) TRY(print_model(context, path));
    if (listing.has_model) TRY(print_preprocessing(path, arguments));
    if (listing.has_host) TRY(print_run(path));
done:
    return result;
}

/* Any safetensors file can be shown, whether its tensors are of a model that is known or not. */
static int print_safetensors(tgr_context *context, const char *path, const tool_arguments *arguments) {
    int result = 0;
    TRY(info_safetensors(context, path));
    if (print_model(context, path) != 0)
        printf("not a model that tgrmoe import can read without further options: %s\n", failure_message());
    else
        TRY(print_preprocessing(path, arguments));
done:
    return result;
}

int command_info(const tool_arguments *arguments) {
    int result = 0, safetensors = 0;
    tgr_context *context = NULL;
    const tgr_context_options options = {.struct_size = sizeof options, .threads = 1};
    if (arguments->file_count != 1) TRY(fail_usage("info: one file is needed"));
    const char *path = arguments->files[0];
    TRY(model_file_is_safetensors(path, &safetensors));
    LIBRARY(tgr_context_create(&context, &options));
    printf("%s\n", path);
    TRY(safetensors ? print_safetensors(context, path, arguments) : print_checkpoint(context, path, arguments));
done:
    tgr_context_free(context);
    return result;
}

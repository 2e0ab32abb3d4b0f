/* SPDX-License-Identifier: MIT */
/* Weights and state of a model from a file: everything is checked and read before the first number changes. */
#include <string.h>

#include "base/assert.h"
#include "base/memory.h"
#include "base/status.h"
#include "base/struct.h"
#include "exchange/match.h"
#include "exchange/resample.h"
#include "exchange/source.h"
#include "exchange/texts.h"

/* Position embeddings as in the file, if they are for another grid. */
typedef struct import_positions {
    int64_t count; /* 0 if they are for the model's own grid */
    float *values; /* [count] */
} import_positions;

static tgr_status read_positions(import_positions *positions, tgr_context *context, const tgr_parameters *parameters,
                                 const tgr_source *source) {
    for (int64_t i = 0; i < parameters->tensor_count; i++) {
        const tgr_tensor *tensor = &parameters->tensors[i];
        tgr_safetensors_entry entry;
        int64_t index;
        int found;
        if (!tgr_match_is_positions(tensor->name)) continue;
        TGR_TRY(tgr_source_find(source, tensor->name, &found, &index, &entry));
        if (entry.count == tensor->count) continue;
        void *memory;
        TGR_TRY(tgr_allocate(context, &memory, (size_t)entry.count, sizeof(float)));
        positions->count = entry.count;
        positions->values = memory;
        TGR_TRY(tgr_safetensors_read(source->file, index, positions->values));
    }
    return TGR_OK;
}

static void resample(const tgr_model *model, const import_positions *positions, float *to) {
    const tgr_dimensions *d = tgr_model_dimensions(model);
    int64_t prefix = tgr_match_position_prefix(model);
    int64_t grid = tgr_match_square_root(positions->count / d->dim - prefix);
    TGR_ASSERT(grid > 0);
    tgr_resample_positions(d->dim, prefix, grid, positions->values, d->grid, to);
}

/* Into `values`, laid out as the parameters' are. */
static tgr_status fill(tgr_model *model, const tgr_parameters *parameters, const tgr_source *source,
                       const tgr_import_options *options, const import_positions *positions, float *values) {
    for (int64_t i = 0; i < parameters->tensor_count; i++) {
        const char *name = parameters->tensors[i].name;
        float *value = values + parameters->tensors[i].offset;
        tgr_safetensors_entry entry;
        int64_t index;
        int found;
        if (tgr_match_keeps(name, options)) continue;
        if (tgr_match_is_positions(name) && positions->count > 0) {
            resample(model, positions, value);
            continue;
        }
        TGR_TRY(tgr_source_find(source, name, &found, &index, &entry));
        TGR_ASSERT(found); /* tgr_match_check has seen it */
        TGR_TRY(tgr_safetensors_read(source->file, index, value));
    }
    return TGR_OK;
}

tgr_status tgr_model_import(tgr_model *model, const tgr_safetensors *file, const tgr_import_options *options) {
    TGR_ENTER;
    TGR_REQUIRE_ARGUMENT(model);
    TGR_REQUIRE_ARGUMENT(file);
    tgr_import_options chosen = {.struct_size = sizeof chosen};
    tgr_parameters *parameters = tgr_model_parameters(model);
    const size_t floats = (size_t)parameters->floats;
    float *staged = NULL;
    import_positions positions = {0};
    tgr_source source;
    if (options != NULL) TGR_TRY(TGR_STRUCT_READ(&chosen, options, ignore_unknown));
    TGR_TRY(tgr_source_open(&source, file));
    TGR_TRY(tgr_match_check(model, &source, &chosen));
    TGR_TRY(tgr_texts_check_heads(tgr_model_config(model), file));
    tgr_context *context = tgr_model_context(model);
    tgr_status status = TGR_OK;
    TGR_TRY_DONE(read_positions(&positions, context, parameters, &source));
    TGR_TRY_DONE(tgr_allocate(context, (void **)&staged, floats, sizeof *staged));
    memcpy(staged, parameters->values, floats * sizeof *staged);
    TGR_TRY_DONE(fill(model, parameters, &source, &chosen, &positions, staged));
    memcpy(parameters->values, staged, floats * sizeof *staged);
    tgr_model_forget(model);
done:
    tgr_release(context, staged, floats, sizeof *staged);
    tgr_release(context, positions.values, (size_t)positions.count, sizeof(float));
    return status;
}
